"""Sharing: exported folders open elsewhere with the same samples, graphs compute the run's images."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import gentk
from gentk.errors import CheckpointError, Incompatible, RunError, UnknownName, UsageError
from gentk.evaluation.record import read_all
from gentk.share import graph

COMMON = {
    "data": "digits,limit=64",
    "batch": 8,
    "steps": 3,
    "device": "cpu",
    "observer": ["metrics"],
}


def needs_onnx():
    """Skip where ONNX cannot be written, and say how it can."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="pip install 'gentk-core[export]'")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with three runs: of images, of classes, and of codes."""
    folder = tmp_path_factory.mktemp("share")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENTK_CACHE", str(folder / "cache"))
        plain = gentk.run(
            extractor="pixels",
            generator="resnet,width=8,latent=4",
            out=folder / "plain",
            **COMMON,
        )
        plain.evaluate(extractors="pixels", count=32)
        gentk.run(
            loss="reconstruction",
            generator="mlp,latent=4,widths=8,output=sigmoid",
            encoder="mlp,widths=8,output=sigmoid",
            out=folder / "ae",
            **COMMON,
        )
        gentk.run(
            extractor="identity",
            codec=f"run:{folder / 'ae'}",
            generator="mlp,latent=3,widths=8,output=sigmoid",
            out=folder / "codes",
            **COMMON,
        )
        gentk.run(
            extractor="pixels",
            generator="resnet,width=8,latent=4,classes=10",
            out=folder / "classes",
            **COMMON,
        )
        yield folder


def test_a_folder_opens_elsewhere_with_the_same_samples(place, tmp_path, monkeypatch):
    """Bit for bit, whatever becomes of the run; by the verb, by `load` and by the command."""
    run = gentk.load(place / "plain")
    written = gentk.export(run, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    model = gentk.from_pretrained("model")

    assert written == tmp_path / "model"
    assert torch.equal(model.sample(5, seed=3), run.sample(5, seed=3))
    assert model.fingerprint() == run.fingerprint()
    assert model.steps == 3
    assert model._repr_png_() == next((tmp_path / "model/samples").glob("*.png")).read_bytes()
    weights = load_file(tmp_path / "model/model.safetensors")
    assert weights.keys() == {f"generator.{name}" for name in run.generator.state_dict()}
    config = json.loads((tmp_path / "model/config.json").read_text())
    assert config["recipe"]["generator"] == run.recipe.generator
    assert str(place) not in json.dumps(config)
    assert model.evaluate(extractors="pixels", count=16)["fd"].value == pytest.approx(
        run.evaluate(extractors="pixels", count=16)["fd"].value, rel=1e-6
    )
    done = subprocess.run(
        [sys.executable, "-m", "gentk", "sample", "model", "-n", "4"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / done.stdout.strip()).is_file()


def test_a_model_card_says_what_was_measured_and_how(place, tmp_path):
    """Front matter, data, values with their protocol, recipe, picture."""
    run = gentk.load(place / "plain")
    gentk.export(run, tmp_path / "m")
    text = (tmp_path / "m/README.md").read_text()

    assert text.startswith("---\nlibrary_name: gentk\n")
    value = run.evaluate(extractors="pixels", count=32)["fd"]
    assert value.written() in text
    assert value.protocol.sentence() in text
    assert run.record["data"]["fingerprint"] in text
    assert f'generator = "{run.recipe.generator}"' in text
    picture = text.split("](")[1].split(")")[0]
    assert (tmp_path / "m" / picture).is_file()


def test_the_values_of_a_run_go_along_with_its_weights(place, tmp_path, monkeypatch):
    """Those of its last step, of it and of what stood beside it, by the model's name; others do not."""
    run = gentk.load(place / "plain")
    run.evaluate(extractors="pixels", count=32, sanity=True)
    gentk.export(run, tmp_path / "m")
    theirs = read_all(tmp_path / "m")
    ours = read_all(place / "plain")

    assert (
        len(theirs) == len(ours) > len({row.measurement.key for row in ours if row.measurement.own})
    )
    assert str(place) not in (tmp_path / "m/figures.jsonl").read_text()
    assert {row.measurement.subject for row in theirs if row.measurement.own} == {"m"}
    assert [r.measurement.value for r in theirs] == [r.measurement.value for r in ours]
    # A model stands beside a run in whatever compares runs.
    other = gentk.run(
        extractor="pixels", generator="resnet,width=8,latent=5", out=tmp_path / "other", **COMMON
    )
    other.evaluate(extractors="pixels", count=32)
    monkeypatch.chdir(tmp_path)
    (column, *_) = (found := gentk.compare(["m", "other"])).columns
    cells = {run: cell.values for (run, where), cell in found.cells.items() if where == column}
    assert list(cells.values()) == [
        (run.evaluate(extractors="pixels", count=32)[column.metric].value,),
        (other.evaluate(extractors="pixels", count=32)[column.metric].value,),
    ]
    assert "Not compared" not in gentk.report(["m", "other"]).read_text()


def test_a_card_says_what_a_run_started_from(place, tmp_path):
    """The recipe, the steps and the digest of the run, and not where it lies."""
    start = gentk.load(place / "plain")
    run = gentk.run(init=start, extractor="pixels", out=tmp_path / "on", **COMMON)
    gentk.export(run, tmp_path / "m")
    text = (tmp_path / "m/README.md").read_text()

    sentence = f"recipe {start.record['recipe_name']} after 3 steps ({start.record['identity']})"
    assert f"It started from {sentence}." in text
    assert str(place) not in text
    assert f"Started from {sentence}." in gentk.report([run], tmp_path / "r.html").read_text()


def test_a_card_asks_for_the_networks_that_python_gave(tmp_path):
    """By the keys of `from_pretrained`, with the class of each."""
    network = torch.nn.Sequential(
        torch.nn.Linear(4, 64), torch.nn.Unflatten(1, (1, 8, 8)), torch.nn.Tanh()
    )
    run = gentk.run(generator=network, extractor="pixels", out=tmp_path / "own", **COMMON)
    gentk.export(run, tmp_path / "m")
    block = (tmp_path / "m/README.md").read_text().split("```python\n")[1].split("```")[0]
    block = block.replace("generator = ...", "generator = network").replace(
        '"m"', repr(str(tmp_path / "m"))
    )
    found: dict[str, Any] = {"network": network}
    exec(block, found)

    assert "torch.nn.modules.container.Sequential" in block
    assert torch.equal(found["images"], run.sample(64))


def test_the_code_on_a_card_runs_and_draws_the_class_where_there_are_classes(place, tmp_path):
    """The block of the card, beside the folder."""
    for name, classes in (("plain", 0), ("classes", 10)):
        gentk.export(gentk.load(place / name), tmp_path / name)
        block = (tmp_path / name / "README.md").read_text().split("```python\n")[1].split("```")[0]
        found: dict[str, Any] = {}
        exec(block.replace(f'"{name}"', repr(str(tmp_path / name))), found)

        assert found["images"].shape[0] == 64
        assert ("one" in found) == bool(classes)
        if classes:
            expected = found["model"].sample(16, label=classes - 1)
            assert torch.equal(found["one"], expected)


def test_a_generator_of_codes_takes_its_decoder_along(place, tmp_path):
    """The model of the codec lies in the folder, and the run's own folder is not needed."""
    run = gentk.load(place / "codes")
    expected = run.sample(4)
    gentk.export(run, tmp_path / "m")
    moved = tmp_path / "moved"
    (tmp_path / "m").rename(moved)

    config = json.loads((moved / "config.json").read_text())
    assert config["recipe"]["codec"] == "stage:codec"
    for text in (moved / "README.md", moved / "config.json"):
        assert str(place) not in text.read_text(), f"{text.name} tells where the codec was trained"
    assert torch.equal(gentk.from_pretrained(moved).sample(4), expected)
    assert gentk.from_pretrained(moved / "stages" / "codec").encoder is not None


@pytest.mark.parametrize("name", ["plain", "classes", "codes"])
@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_a_graph_computes_the_runs_images(place, tmp_path, name, form):
    """In [0, 1], for any batch, with classes and truncation, without gentk."""
    if form == "onnx":
        needs_onnx()
    run = gentk.load(place / name, device="cpu")
    path = gentk.export(run, tmp_path / "graph", form=form)
    sampler = graph.Sampler(run).eval()

    def computed(inputs):
        if form == "torch":
            return torch.export.load(path).module()(*inputs).detach().numpy()
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        named = zip(sampler.names, inputs, strict=True)
        return session.run(["images"], {key: value.numpy() for key, value in named})[0]

    assert sampler.names == ["latents", *["labels"] * (name == "classes"), "truncation"]
    for count in (1, 2, 5):
        inputs = sampler.inputs(count, np.inf)
        latents = torch.cat(
            [inputs[0], *(torch.eye(10)[inputs[1]] for _ in range(name == "classes"))], dim=1
        )
        expected = torch.cat(list(run.images(latents)))
        images = computed(inputs)
        assert images.shape == (count, *run.image)
        np.testing.assert_allclose(images, expected, atol=2e-4)


def test_truncated_latents_have_the_truncated_distribution():
    """The graph's quantiles against scipy's: z' is where z was in its own distribution."""
    from scipy.stats import norm, truncnorm

    x = torch.linspace(-0.999999, 0.999999, 10001)
    torch.testing.assert_close(graph.erfinv(x), torch.erfinv(x), rtol=3e-5, atol=1e-6)
    z = np.linspace(-3.5, 3.5, 57)
    bound = 0.7
    expected = truncnorm.ppf(norm.cdf(z), -bound, bound)
    root = 2**0.5
    inside = torch.erf(torch.tensor(z, dtype=torch.float32) / root) * torch.erf(
        torch.tensor(bound / root)
    )
    np.testing.assert_allclose(graph.erfinv(inside) * root, expected, rtol=1e-4, atol=1e-6)


def test_a_graph_that_computes_something_else_is_not_written(place, tmp_path, monkeypatch):
    """The comparison sees a wrong value, and nothing is left."""
    monkeypatch.setattr(graph, "TOLERANCE", -1.0)
    with pytest.raises(Incompatible, match="apart"):
        gentk.export(place / "plain", tmp_path / "graph", form="torch")
    assert not any((tmp_path / "graph").iterdir())


@pytest.mark.parametrize("where", ["InferenceSession", "InferenceSession.run"])
def test_what_onnxruntime_refuses_is_a_sentence(place, tmp_path, monkeypatch, where):
    """Its own errors are of classes that nobody else knows; nothing is left."""
    needs_onnx()
    import onnxruntime

    def refuses(*args, **kwargs):
        raise ValueError("no kernel for Frobnicate(1)")

    monkeypatch.setattr(f"{onnxruntime.__name__}.{where}", refuses)
    with pytest.raises(Incompatible, match=r"onnxruntime.*Frobnicate"):
        gentk.export(place / "plain", tmp_path / "graph", form="onnx")
    assert not any((tmp_path / "graph").iterdir())


@pytest.mark.parametrize("name", ["onnx", "onnxscript", "onnxruntime"])
def test_onnx_without_its_packages_names_the_extra(place, tmp_path, monkeypatch, name):
    """One sentence with what to type, and no file."""
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RunError, match=rf"{name}.*gentk-core\[export\]"):
        gentk.export(place / "plain", tmp_path / "graph", form="onnx")
    assert not any((tmp_path / "graph").iterdir())


def test_what_cannot_be_exported_or_opened_is_a_sentence(place, tmp_path):
    """Taken folders, unknown forms and models, damaged weights, ids that are none."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").touch()
    with pytest.raises(RunError, match=r"taken.*to="):
        gentk.export(place / "plain", tmp_path / "taken")
    with pytest.raises(UsageError, match="form="):
        gentk.export(place / "plain", tmp_path / "x", form="gguf")
    with pytest.raises(UnknownName, match="'none-such'"):
        gentk.from_pretrained("model:none-such")
    with pytest.raises(UsageError, match="no-such-folder"):
        gentk.from_pretrained("no-such-folder")
    with pytest.raises(UnknownName, match="'model:digits'"):
        gentk.from_pretrained("digits")
    gentk.export(place / "plain", tmp_path / "m")
    # Copied: a file that is mapped into memory and then cut short ends the process.
    weights = {k: v.clone() for k, v in load_file(tmp_path / "m/model.safetensors").items()}
    os.truncate(tmp_path / "m/model.safetensors", 100)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        gentk.from_pretrained(tmp_path / "m").sample(1)
    # Weights of another network fit no better.
    save_file({key: value.flatten()[:1].clone() for key, value in weights.items()}, tmp_path / "w")
    (tmp_path / "w").replace(tmp_path / "m/model.safetensors")
    with pytest.raises(CheckpointError, match="generator"):
        gentk.from_pretrained(tmp_path / "m").sample(1)


def test_a_hub_is_asked_for_what_is_no_folder(place, tmp_path, monkeypatch):
    """An id is fetched, a folder is uploaded; what goes wrong there is one sentence."""
    from types import SimpleNamespace

    from gentk.share import hub

    gentk.export(place / "plain", tmp_path / "m")
    calls = []
    fake = SimpleNamespace(
        snapshot_download=lambda name: calls.append(name) or str(tmp_path / "m"),
        create_repo=lambda name, exist_ok: calls.append(name),
        upload_folder=lambda repo_id, folder_path, allow_patterns: calls.append(
            (repo_id, folder_path)
        ),
    )
    monkeypatch.setattr(hub, "_hub", lambda: fake)
    assert gentk.from_pretrained("user/digits").steps == 3
    gentk.export(place / "plain", tmp_path / "sent", push="user/digits")
    assert calls == ["user/digits", "user/digits", ("user/digits", str(tmp_path / "sent"))]

    def refuse(name):
        raise OSError("no network")

    fake.snapshot_download = refuse
    with pytest.raises(RunError, match="no network"):
        gentk.from_pretrained("user/digits")


class Hub:
    """A hub that keeps what it is sent, or refuses."""

    def __init__(self):
        self.files = {}
        self.refuses = False

    def create_repo(self, name, exist_ok):
        if self.refuses:
            raise OSError("no network")
        self.name = name

    def upload_folder(self, *, repo_id, folder_path, allow_patterns):
        from huggingface_hub.utils import filter_repo_objects

        paths = [p for p in pathlib.Path(folder_path).rglob("*") if p.is_file()]
        names = [str(p.relative_to(folder_path)) for p in paths]
        for name in filter_repo_objects(names, allow_patterns=allow_patterns):
            self.files[name] = (pathlib.Path(folder_path) / name).read_bytes()

    def upload_file(self, *, repo_id, path_or_fileobj, path_in_repo):
        self.files[path_in_repo] = pathlib.Path(path_or_fileobj).read_bytes()


@pytest.fixture
def remote(monkeypatch):
    """A hub in place of huggingface.co."""
    from gentk.share import hub

    pytest.importorskip("huggingface_hub", reason="pip install 'gentk-core[export]'")
    fake = Hub()
    monkeypatch.setattr(hub, "_hub", lambda: fake)
    return fake


@pytest.mark.parametrize("by", ["verb", "command"])
def test_only_what_was_exported_is_uploaded(place, tmp_path, monkeypatch, remote, by):
    """A graph goes alone, whatever lies beside it, the working directory above all."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "config.json").write_text("{}")
    if by == "verb":
        gentk.export(place / "plain", ".", form="torch", push="user/digits")
    else:
        from click.testing import CliRunner

        from gentk.cli.export import command

        words = [str(place / "plain"), "--to", ".", "--form", "torch", "--push", "user/digits"]
        done = CliRunner().invoke(command, words, catch_exceptions=False)
        assert done.output.splitlines() == ["model.pt2", "https://huggingface.co/user/digits"]
    assert remote.files.keys() == {"model.pt2"}


def test_an_upload_that_failed_is_tried_again_with_the_model_that_is_there(place, tmp_path, remote):
    """Nothing is exported twice, nothing else in the folder goes; another run's model is refused."""
    remote.refuses = True
    with pytest.raises(RunError, match=r"m\b.*no network.*again"):
        gentk.export(place / "codes", tmp_path / "m", push="user/codes")
    written = (tmp_path / "m/config.json").stat().st_mtime_ns
    whole = {str(p.relative_to(tmp_path / "m")) for p in (tmp_path / "m").rglob("*") if p.is_file()}
    (tmp_path / "m/notes.txt").touch()
    (tmp_path / "m/.git").mkdir()
    (tmp_path / "m/.git/config").touch()
    remote.refuses = False
    assert gentk.export(place / "codes", tmp_path / "m", push="user/codes") == tmp_path / "m"

    assert remote.files.keys() == whole
    assert (tmp_path / "m/config.json").stat().st_mtime_ns == written
    remote.files.clear()
    with pytest.raises(RunError, match=r"to="):
        gentk.export(place / "plain", tmp_path / "m", push="user/codes")
    with pytest.raises(RunError, match=r"to="):
        gentk.export(place / "codes", tmp_path / "m")
    assert not remote.files


@pytest.mark.parametrize(
    "name", ["digits", "a/b/c", "user/", "user/my digits", "user/a--b", ".a/b"]
)
def test_what_is_no_id_is_refused_before_anything_is_written(place, tmp_path, remote, name):
    """One sentence with what to write."""
    with pytest.raises(UsageError, match=r"push=USER/NAME"):
        gentk.export(place / "plain", tmp_path / "m", push=name)
    assert not (tmp_path / "m").exists()


def test_a_hub_that_is_not_installed_is_said_before_anything_is_written(
    place, tmp_path, monkeypatch
):
    """With what to install."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(RunError, match=r"gentk-core\[export\]"):
        gentk.export(place / "plain", tmp_path / "m", push="user/digits")
    assert not (tmp_path / "m").exists()


def test_a_folder_that_is_the_working_directory_takes_a_model(place, tmp_path, monkeypatch):
    """The card calls it by the folder's name, and the folder stays the shell's."""
    (tmp_path / "shown").mkdir()
    monkeypatch.chdir(tmp_path / "shown")
    gentk.export(place / "plain", ".")

    assert pathlib.Path().samefile(tmp_path / "shown")
    assert 'from_pretrained("shown")' in (tmp_path / "shown/README.md").read_text()
    assert gentk.from_pretrained(".").steps == 3
