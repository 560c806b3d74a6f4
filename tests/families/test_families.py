"""Auto-encoder runs, runs on samples, and finished runs as components of the next."""

from __future__ import annotations

import json

import pytest
import torch

import gentk
from gentk.errors import Incompatible, RunError, UnknownName, UsageError
from gentk.evaluation.evaluate import evaluate
from gentk.evaluation.plan import Plan
from gentk.events import Stepped
from gentk.interfaces import Observer
from gentk.runs.sheets import export
from gentk.runs.start import warm_start

AE = {
    "data": "digits,limit=200",
    "encoder": "mlp,widths=24",
    "generator": "mlp,latent=6,widths=24",
    "loss": "reconstruction,distance=bernoulli",
    "batch": 20,
    "optimizer": "adam,lr=1e-2",
    "decay": "none",
    "ema": "none",
    "device": "cpu",
    "observers": [],
}
MMD = {
    "data": "digits,limit=200",
    "extractor": ["pixels"],
    "generator": "mlp,latent=4,widths=16",
    "loss": "mmd,bandwidths=1+4",
    "estimator": "batch",
    "batch": 20,
    "optimizer": "adam,lr=1e-2",
    "decay": "none",
    "ema": "none",
    "device": "cpu",
    "observers": [],
}


class Stop(Observer):
    """Interrupts a run after so many steps, as Ctrl-C would."""

    def __init__(self, after):
        self.after = after

    def observe(self, event):
        if isinstance(event, Stepped) and event.progress.steps >= self.after:
            raise_signal()


def raise_signal():
    import signal

    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def ae(tmp_path):
    """A finished auto-encoder."""

    def run(**changes):
        settings = {**AE, "steps": 60, "out": str(tmp_path / "ae"), **changes}
        return gentk.run("gfmn", **settings)

    return run


def weights(run):
    """All trained tensors, averaged ones too."""
    state = run.folder.checkpoints.load()
    parts = [state[name] for name in ("generator", "encoder") if name in state]
    parts += [state["average"]["weights"]] if "average" in state else []
    return [tensor for part in parts for tensor in part.values()]


def test_an_auto_encoder_learns_to_reconstruct(ae, tmp_path):
    """The loss falls below that of the mean image, and the sheet shows images with their own."""
    run = ae(steps=400)
    images = gentk.compose("gfmn", **{k: v for k, v in AE.items() if k != "observers"}).images
    x = images.batch(torch.arange(200)) / 255
    mean = x.mean(0, keepdim=True).expand_as(x).clamp(1e-6, 1 - 1e-6)
    constant = torch.nn.functional.binary_cross_entropy(mean, x, reduction="sum") / len(x)

    assert run.result["loss"] < 0.93 * float(constant)
    out = export(run, "reconstruction", 12, tmp_path / "sheet.png")
    assert out.exists()
    codes = run.as_codec().encode(x)
    assert codes.shape == (200, 6, 1, 1) and codes.min() >= 0 and codes.max() <= 1


@pytest.mark.parametrize("base", ["ae", "mmd"])
@pytest.mark.parametrize("ema", ["none", 0.9])
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, base, ema):
    """The order of minibatches, both optimisers and both averages go on where they stopped."""
    settings = {**(AE if base == "ae" else MMD), "ema": ema, "steps": 40}
    whole = gentk.run("gfmn", **{**settings, "out": str(tmp_path / "whole")})
    parts = {**settings, "out": str(tmp_path / "parts")}
    with pytest.raises(KeyboardInterrupt):
        gentk.run("gfmn", **{**parts, "observers": [Stop(15)]})
    resumed = gentk.run("gfmn", **parts)

    for mine, theirs in zip(weights(resumed), weights(whole), strict=True):
        assert torch.equal(mine, theirs)


def test_the_loss_on_samples_draws_fresh_data_each_step(tmp_path):
    """Features of all data are made once; reference= says how many of them a step sees."""
    run = gentk.run("gfmn", **MMD, steps=30, reference=50, out=str(tmp_path / "mmd"))
    record = json.loads((tmp_path / "mmd" / "run.json").read_text())

    assert record["recipe"]["reference"] == 50
    assert run.result["loss"] == run.result["loss/mmd"]


def test_features_that_do_not_fit_in_memory_are_made_step_by_step(tmp_path, monkeypatch):
    """With and without holding all features the weights are the same."""
    from gentk.families import sides

    held = gentk.run("gfmn", **MMD, steps=12, out=str(tmp_path / "held"))
    monkeypatch.setattr(sides, "HELD", 0)
    drawn = gentk.run("gfmn", **MMD, steps=12, out=str(tmp_path / "drawn"))

    for mine, theirs in zip(weights(held), weights(drawn), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_virtual_batches_of_samples_are_one_batch(tmp_path):
    """Chunks of a kernel loss give the gradient of the whole batch."""
    settings = {**MMD, "generator": "mlp,latent=4,prior=uniform,widths=16"}
    one = gentk.run("gfmn", **settings, steps=3, out=str(tmp_path / "one"))
    many = gentk.run("gfmn", **settings, steps=3, chunk=7, out=str(tmp_path / "many"))

    for mine, theirs in zip(weights(one), weights(many), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_runs_encoder_is_an_extractor(ae, tmp_path):
    """Its layers are features, the code the last; a later run matches them."""
    first = ae()
    place = f"run:{first.folder.path}"
    composed = gentk.compose(
        "gfmn", **{**MMD, "observers": None, "extractor": [place], "loss": "moments"}
    )
    features = composed.space.of_images(torch.rand(3, 1, 8, 8))
    assert [name.rpartition("/")[2] for name in features] == ["layer1", "code"]

    run = gentk.run(
        "gfmn",
        **{**MMD, "extractor": [f"{place},layers=code"], "loss": "moments"},
        steps=5,
        out=str(tmp_path / "next"),
    )
    assert run.result["steps"] == 5
    found = evaluate(str(run.folder.path), Plan(extractors=(f"{place},layers=code",), count=100))
    assert found.measurements[0].trained_on


def test_a_run_is_a_codec(ae, tmp_path):
    """The generator makes codes, and everything that shows samples decodes them."""
    first = ae()
    settings = {**MMD, "codec": f"run:{first.folder.path}", "extractor": ["identity"]}
    run = gentk.run("gfmn", **settings, steps=5, out=str(tmp_path / "codes"))

    assert run.shape == (6, 1, 1) and run.image == (1, 8, 8)
    images = run.sample(10)
    assert images.shape == (10, 1, 8, 8)
    codes = run.generator(run.latents(10))
    expected = first.generator(codes.flatten(1)).detach()
    torch.testing.assert_close(images, expected)
    for form in ("grid", "interpolation", "neighbours", "npz"):
        ending = "npz" if form == "npz" else "png"
        assert export(run, form, 4, tmp_path / f"{form}.{ending}").exists()


def test_other_extractors_see_decoded_images(ae, tmp_path):
    """Under a codec, `pixels` compares images, and the gradient reaches the generator."""
    first = ae()
    settings = {**MMD, "codec": f"run:{first.folder.path}", "extractor": ["pixels", "identity"]}
    run = gentk.run("gfmn", **settings, steps=5, out=str(tmp_path / "both"))

    assert run.result["steps"] == 5


def test_layers_trained_one_by_one_become_one_network(tmp_path):
    """Stages: the second auto-encoder learns the codes of the first, the third is both stacked."""
    (tmp_path / "greedy.toml").write_text(
        """
data = "digits,limit=200"
encoder = "mlp,widths=24"
generator = "mlp,latent=6,widths=24,activation=sigmoid"
loss = "reconstruction,distance=bernoulli"
batch = 20
optimizer = "sgd,lr=1e-9"
init = "stage:first+stage:second"
steps = 1

[stage.first]
encoder = "mlp,widths="
generator = "mlp,latent=24,widths="
loss = "reconstruction,distance=bernoulli"
batch = 20
steps = 20

[stage.second]
codec = "stage:first"
encoder = "mlp,widths="
generator = "mlp,latent=6,widths="
loss = "reconstruction,distance=bernoulli"
batch = 20
steps = 20
"""
    )
    out = tmp_path / "run"
    run = gentk.run(str(tmp_path / "greedy.toml"), out=str(out), device="cpu", observers=[])
    first, second = (
        gentk.load(out / "stages" / name, device="cpu") for name in ("first", "second")
    )

    ours = list(run.encoder.parameters())
    theirs = [*first.encoder.parameters(), *second.encoder.parameters()]
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-6)
    images = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(run.as_codec().encode(images), second.as_codec().encode(images))
    torch.testing.assert_close(
        run.as_codec().decode(run.as_codec().encode(images)),
        second.as_codec().decode(second.as_codec().encode(images)),
    )
    # What is finished is not made again.
    before = (out / "stages" / "first" / "run.json").stat().st_mtime_ns
    gentk.run(str(tmp_path / "greedy.toml"), out=str(out), device="cpu", observers=[], steps=2)
    assert (out / "stages" / "first" / "run.json").stat().st_mtime_ns == before


def test_stages_share_data_and_seed_and_those_not_named_are_not_made(ae, tmp_path):
    """Flags for the whole experiment reach every stage; a run given by hand takes a stage's place."""
    (tmp_path / "two.toml").write_text(
        """
data = "digits,limit=100"
codec = "stage:ae"
extractor = ["identity"]
generator = "mlp,latent=4,widths=16"
loss = "mmd,bandwidths=1"
batch = 20
steps = 3

[stage.ae]
encoder = "mlp,widths=24"
generator = "mlp,latent=6,widths=24"
loss = "reconstruction"
batch = 20
steps = 3
"""
    )
    shared = {"data": "digits,limit=200", "seed": 7, "device": "cpu", "observers": []}
    run = gentk.run(str(tmp_path / "two.toml"), **shared, out=str(tmp_path / "one"))
    stage = gentk.load(tmp_path / "one" / "stages" / "ae", device="cpu")
    assert (stage.recipe.data, stage.recipe.seed) == ("digits,limit=200", 7)
    assert run.codec is not None and run.recipe.codec == "stage:ae"

    given = ae()
    other = gentk.run(
        str(tmp_path / "two.toml"),
        **shared,
        codec=f"run:{given.folder.path}",
        out=str(tmp_path / "two"),
    )
    assert not (tmp_path / "two" / "stages").exists()
    assert other.codec.fingerprint() == given.as_codec().fingerprint()


def test_none_takes_back_what_a_recipe_says(ae):
    """`critic none` makes an auto-encoder of the parts of a game."""
    assert ae(critic="none").recipe.critic is None


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"encoder": None}, Incompatible, "no encoder; write encoder='ali' or 'bigan' or 'dcgan'"),
        ({"estimator": "ma"}, Incompatible, "has no use for estimator="),
        ({"extractor": ["pixels"]}, Incompatible, "has no use for extractor="),
        ({"reference": 10}, Incompatible, "has no use for reference="),
        (
            {"init": "elsewhere"},
            UsageError,
            "init 'elsewhere' is not a run; write init='run:FOLDER'",
        ),
        ({"init": "stage:x"}, UsageError, "this recipe has no stages"),
        ({"codec": "run:nowhere"}, RunError, "nowhere is not the folder of a run"),
        ({"phase": {"critic": {}}}, Incompatible, "there is no phase 'critic'"),
    ],
)
def test_what_does_not_fit_is_one_sentence(ae, changes, error, message):
    """Missing parts, flags without a use, runs that are none."""
    with pytest.raises(error, match=message):
        ae(**changes)


def test_runs_that_cannot_serve_say_why(ae, tmp_path, small):
    """No encoder, no such layer, other sizes, not finished."""
    plain = small()
    first = ae()
    settings = {**MMD, "observers": None}
    place = f"run:{first.folder.path}"
    with pytest.raises(Incompatible, match=r"has no encoder, so it cannot be a codec"):
        gentk.compose("gfmn", **settings, codec=f"run:{plain.folder.path}")
    with pytest.raises(Incompatible, match=r"has no encoder, so it extracts nothing"):
        gentk.compose("gfmn", **{**settings, "extractor": [f"run:{plain.folder.path}"]})
    with pytest.raises(UnknownName, match=r"no layer 'x'; write layers=layer1\+code"):
        gentk.compose("gfmn", **{**settings, "extractor": [f"{place},layers=x"]})
    large = {**settings, "data": "digits,limit=50,size=16"}
    with pytest.raises(Incompatible, match=r"encodes images of \(1, 8, 8\).*add size=8,channels=1"):
        gentk.compose("gfmn", **large, codec=place)
    with pytest.raises(Incompatible, match=r"reads images of \(1, 8, 8\).*size=8,channels=1"):
        gentk.compose("gfmn", **{**large, "extractor": [place]})
    with pytest.raises(Incompatible, match=r"do not fit generator .*: they are 24x6"):
        composed = gentk.compose("gfmn", **settings, init=place, out=str(tmp_path / "i"))
        warm_start(composed, [])
    with pytest.raises(KeyboardInterrupt):
        ae(out=str(tmp_path / "half"), observers=[Stop(10)])
    with pytest.raises(RunError, match="is not finished; call it again"):
        gentk.compose("gfmn", **settings, codec=f"run:{tmp_path / 'half'}")


def test_init_starts_a_generator_from_a_decoder(ae, tmp_path):
    """An auto-encoder's decoder is the warm start of a generator of the same size."""
    first = ae()
    settings = {**MMD, "generator": "mlp,latent=6,widths=24", "observers": None}
    composed = gentk.compose(
        "gfmn", **settings, init=f"run:{first.folder.path}", out=str(tmp_path / "w")
    )
    warm_start(composed, [])

    for mine, theirs in zip(
        composed.generator.parameters(), first.generator.parameters(), strict=True
    ):
        assert torch.equal(mine, theirs)
