"""Starts: runs that go on with trained weights, from a run, a model, a file or a module."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import gentk
from gentk.errors import GentkError, Incompatible, RunError, UsageError
from gentk.evaluation.record import read
from gentk.recipe import Recipe
from gentk.registry import Registry
from gentk.runs.rehearsal import rehearse
from gentk.runs.resolving import resolve_recipe
from gentk.runs.start import Weights, read_start

pytestmark = pytest.mark.usefixtures("one_thread")

POST = {
    "extractor": ["pixels"],
    "estimator": "ema,decay=0.9,exclude=true,seeding=2000",
    "batch": 16,
    "steps": 1,
    "device": "cpu",
    "observers": [],
}
"""A post-training of seconds."""

JUDGED = {
    "observers": None,
    "observer": ["evaluate,every=1,extractor=pixels,count=100,quiet=true"],
}
OWN = {**POST, "data": torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))}
SIZE = {"data": "digits,limit=200", "generator": "mlp,latent=8,widths=16+32"}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A trained generator of digits."""
    place = tmp_path_factory.mktemp("first")
    keys = {**POST, **SIZE, "estimator": "batch", "steps": 30, "out": str(place / "run")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENTK_CACHE", str(place / "cache"))
        return gentk.run("gfmn", **keys)


@pytest.fixture
def post(first, tmp_path):
    """Go on with it."""

    def go_on(**changes):
        keys = {**POST, "init": first, "out": str(tmp_path / "post"), **changes}
        return gentk.run("post", **keys)

    return go_on


def begun(run):
    """The weights that a run started from: its first checkpoint, of step 0, is of them."""
    return run.folder.checkpoints.load(0)["generator"]


def alike(one, other):
    """Whether two networks' states have the same bits."""
    return list(one) == list(other) and all(torch.equal(one[n], other[n]) for n in one)


def net(seed=0):
    """A generator from outside, of digits."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8)))


def test_a_run_goes_on_with_another_objective(first, post):
    """Generator and data are the run's; its weights are judged first, and it is written down which."""
    run = post(**JUDGED)
    values = {
        steps: [
            row.measurement.value
            for row in read(run.folder.path, steps)
            if row.measurement.name == "fd"
        ]
        for steps in (0, 1)
    }

    assert run.recipe.generator == first.recipe.generator
    assert run.recipe.data == first.recipe.data
    assert values[0] == [first.evaluate(extractors="pixels", count=100)["fd"].value]
    assert values[1] not in ([], values[0])
    origin = run.record["init"]
    assert origin["fingerprint"] == first.fingerprint()
    assert origin["runs"][0]["identity"] == first.record["identity"]
    assert origin["runs"][0]["steps"] == 30


def test_a_network_that_is_written_otherwise_is_told_and_the_same_is_not(first):
    """Weights of the same sizes fit a generator that draws its latents elsewhere, or ends otherwise."""
    start = read_start(f"run:{first.folder.path}", Registry())
    own = first.recipe.generator
    head, *options = own.split(",")
    turned = ",".join([head, *reversed(options)])

    assert start.notes(first.recipe) == []
    assert start.notes(first.recipe.model_copy(update={"generator": turned})) == []
    [note] = start.notes(first.recipe.model_copy(update={"generator": f"{own},prior=uniform"}))
    assert own in note and "prior=uniform" in note


def test_statistics_are_seeded_by_the_start(first, post):
    """The moving average begins at the moments of the trained generator, not of an untrained one."""
    run = post(**JUDGED, loss="gaussian-kl,covariance=diagonal,pool=none")
    tracked = run.folder.checkpoints.load(0)["estimator"]["mean_mean"]
    rows = first.sample(4000, seed=3).flatten(1).double()
    error = (rows.std(0) * (1 / 2000 + 1 / 4000) ** 0.5).clamp(min=1e-3)

    assert float(((tracked - rows.mean(0)) / error).abs().max()) < 5


def test_it_goes_on_with_the_same_bits(first, post, tmp_path):
    """Two steps and two more are four, and the run that it started from may be gone by then."""
    more = {"decay": "none", "generator": first.recipe.generator, "data": first.recipe.data}
    whole = post(steps=4, out=str(tmp_path / "whole"), **more)
    post(steps=2, **more)
    first.folder.path.rename(tmp_path / "elsewhere")
    try:
        resumed = post(steps=4, **more)
    finally:
        (tmp_path / "elsewhere").rename(first.folder.path)

    states = [run.folder.checkpoints.load() for run in (whole, resumed)]
    assert alike(states[0]["generator"], states[1]["generator"])
    assert alike(states[0]["estimator"], states[1]["estimator"])
    assert resumed.record["init"] == whole.record["init"]


@pytest.mark.parametrize("key", ["init", "generator"])
def test_a_module_goes_on_with_its_weights(key, tmp_path, monkeypatch):
    """As init it is the generator too; other weights are another run."""
    monkeypatch.chdir(tmp_path)
    keys = {**OWN, **JUDGED}
    runs = [gentk.run("post", **keys, **{key: net(seed)}) for seed in (0, 1, 0)]

    assert [run.folder.path == runs[0].folder.path for run in runs] == [True, False, True]
    for seed, run in enumerate(runs[:2]):
        kept = {name.removeprefix("module."): value for name, value in begun(run).items()}
        assert alike(kept, net(seed).state_dict())


def test_weights_of_a_file_are_taken_by_name(first, tmp_path):
    """Under the prefix of a wrapper too, and of a model that was exported; the order does not count."""
    trained = first.generator.state_dict()
    files = {
        "plain": trained,
        "wrapped": {f"net.G.{name}": value for name, value in reversed(trained.items())},
    }
    for name, tensors in files.items():
        save_file({k: v.contiguous() for k, v in tensors.items()}, tmp_path / f"{name}.safetensors")
    gentk.export(first, tmp_path / "model")
    places = [
        *(tmp_path / f"{name}.safetensors" for name in files),
        tmp_path / "model/model.safetensors",
        f"run:{tmp_path / 'model'}",
    ]
    for number, place in enumerate(places):
        size = {} if str(place).startswith("run:") else SIZE
        out = str(tmp_path / str(number))
        run = gentk.run("post", **POST | JUDGED, **size, init=place, out=out)
        assert alike(begun(run), trained)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"generator": "mlp,latent=9,widths=16+32"},
            "fit generator 'mlp,latent=9.*another size of",
        ),
        ({"generator": "mlp,latent=8,widths=16"}, "fit generator .*no place for"),
        ({"generator": "mlp,latent=8,widths=16+32+64"}, "fit generator .*nothing for"),
    ],
)
def test_another_architecture_is_refused(first, tmp_path, changes, words):
    """In one sentence that says where names or sizes differ."""
    save_file(dict(first.generator.state_dict()), tmp_path / "w.safetensors")
    keys = {**POST, **SIZE, **changes, "init": str(tmp_path / "w.safetensors")}
    with pytest.raises(Incompatible, match=words):
        gentk.run("post", **keys, out=str(tmp_path / "out"))
    with pytest.raises(Incompatible, match="fit generator"):
        gentk.run("post", **{**keys, "init": first}, out=str(tmp_path / "out"))


def test_images_of_another_size_are_refused_where_weights_differ(first, tmp_path):
    """What is alike is counted; what is shown is what is not."""
    words = r"after 4 that do, they are 64x32, 64, and those here 256x32, 256;.* data= out"
    with pytest.raises(Incompatible, match=words):
        gentk.run("post", **POST, data="digits,size=16", init=first, out=str(tmp_path / "out"))


@pytest.mark.parametrize(
    ("keys", "error", "words"),
    [
        ({}, UsageError, "goes on with a trained generator; write init='run:FOLDER'"),
        ({"init": "run:nowhere"}, RunError, "nowhere is not the folder of a run"),
        ({"init": "w.pt"}, UsageError, "safetensors.torch.save_file"),
        ({"init": "w.safetensors", **SIZE}, RunError, "w.safetensors cannot be read"),
        ({"init": "broken.safetensors", **SIZE}, RunError, "broken.safetensors cannot be read"),
        ({"init": nn.Linear(2, 3)}, GentkError, "Linear"),
        ({"init": 3.5}, GentkError, "init"),
        ({"init": "here"}, UsageError, "write init='run:here'"),
    ],
)
def test_what_is_no_start_is_one_sentence(keys, error, words, tmp_path, monkeypatch):
    """And says what to write."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.safetensors").write_bytes(b"12345678" * 4)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "run.json").write_text("{}")
    with pytest.raises(error, match=words):
        gentk.run("post", **{**POST, "out": "out", **keys})


def test_a_file_that_has_changed_is_not_gone_on_with(first, tmp_path):
    """Other weights under the same name are refused, as other data are."""
    path = tmp_path / "w.safetensors"
    trained = dict(first.generator.state_dict())
    keys = {**POST, **SIZE, "init": str(path), "out": str(tmp_path / "post")}
    save_file(trained, path)
    gentk.run("post", **{**keys, "decay": "none"})
    save_file({name: value + 1 for name, value in trained.items()}, path)
    with pytest.raises(RunError, match="started from other weights"):
        gentk.run("post", **{**keys, "decay": "none", "steps": 2})


@pytest.mark.parametrize("recipe", ["post", "post-fd", "post-drift"])
def test_recipes_fit(first, recipe):
    """Their parts take two samples of a run's generator, and nothing but the size is left to be told."""
    flags = {"init": f"run:{first.folder.path}", "data": "digits,size=32,channels=3"}
    told = []
    with pytest.raises(Incompatible, match="for samples of"):
        rehearse(resolve_recipe(recipe, flags, registry=Registry()), Registry(), told.append)
    flags["data"] = first.recipe.data
    rehearse(resolve_recipe(recipe, flags, registry=Registry()), Registry(), told.append)
    assert all("slower" in message for message in told)


STAGED = """
init = "stage:start"
loss = "gaussian-kl"
extractor = ["pixels"]
estimator = "ema,seeding=16"
data = "digits,limit=60"
batch = 8
steps = 1
device = "cpu"
observer = []
[stage.start]
recipe = "gfmn"
generator = "mlp,latent=5,widths=16"
steps = 1
extractor = ["pixels"]
batch = 8
observer = []
"""


def test_a_recipe_may_train_and_go_on(tmp_path):
    """The generator of a stage is taken over before the stage is made, and rehearsed."""
    (tmp_path / "both.toml").write_text(STAGED)
    path = str(tmp_path / "both.toml")
    rehearse(resolve_recipe(path, {}, registry=Registry()), Registry())
    run = gentk.run(path, out=str(tmp_path / "run"))

    assert run.recipe.generator == "mlp,latent=5,widths=16"
    stage = gentk.load(tmp_path / "run" / "stages" / "start")
    assert run.record["init"]["fingerprint"] == stage.fingerprint()


def test_what_is_named_is_not_taken_over(first):
    """Options alone are laid over what is taken over; identities of runs with names stay."""

    def resolved(**flags):
        flags = {"init": f"run:{first.folder.path}", **flags}
        return resolve_recipe("post", flags, registry=Registry())

    assert resolved().recipe.generator == first.recipe.generator
    assert resolved().origins["generator"] == f"run:{first.folder.path}"
    assert resolved(generator="mlp,latent=3").recipe.generator == "mlp,latent=3"
    assert resolved(generator="latent=3").recipe.generator == "mlp,latent=3,widths=16+32"
    assert resolved(data="limit=50").recipe.data == "digits,limit=50"
    assert resolved(encoder="mlp").recipe.encoder == "mlp"
    table = {"init": "run:nowhere", "generator": "mlp", "data": "digits", "steps": 1}
    assert Recipe.model_validate(table).identity() == "4245b782"


def test_prefixes_do_not_count():
    """Names are compared without what all of one side begin with."""
    layer = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    named = [(f"a.b.{name}", value + 1) for name, value in layer.state_dict().items()]
    pairs = Weights(tuple(named)).pairs(layer)
    assert all(torch.equal(mine + 1, theirs) for mine, theirs in pairs)
    assert len(pairs) == 4
    with pytest.raises(ValueError, match=r"'0\.bias'"):
        Weights(tuple(named[:1])).pairs(layer)


def test_an_exported_model_says_what_it_started_from(post, tmp_path):
    """The origin goes along, and no place of this machine."""
    run = post()
    gentk.export(run, tmp_path / "model")
    record = json.loads((tmp_path / "model" / "config.json").read_text())
    assert record["init"]["fingerprint"] == run.record["init"]["fingerprint"]
    assert str(tmp_path) not in json.dumps(record)
