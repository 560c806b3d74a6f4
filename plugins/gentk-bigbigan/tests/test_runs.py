"""Whole runs of the family, by the real commands: resume, labels, sizes, truncation, what follows."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import gentk
from gentk.cli.group import cli
from gentk.errors import Incompatible, NonFinite, UsageError
from gentk.library import Library
from gentk.registry import Registry

DATA = "digits,size=32,channels=3,limit=200"
PARTS = {
    "data": DATA,
    "generator": "biggan,width=4,latent=8",
    "encoder": "resnet,depth=10,width=0.25,hidden=16,blocks=1",
    "critic": "fhj,width=4,hidden=16,blocks=1,dropout=0.2",
    "loss": "hinge",
    "batch": 8,
    "optimizer": "adam,lr=1e-3,betas=0.5+0.999",
    "decay": "none",
    "device": "cpu",
    "threads": 1,
    "observers": [],
    "phase": {"critic": {"repeat": 2}},
}
LABELLED = {
    "generator": "biggan,width=4,latent=8,embed=6,classes=10",
    "critic": "biggan,width=4,classes=10",
    "encoder": "none",
}


def run(out, *, steps=4, **changes):
    """Train with the parts above, but for the changes."""
    return gentk.run("gfmn", **{**PARTS, **changes}, steps=steps, out=str(out))


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    """A finished BigBiGAN of a few steps."""
    return run(tmp_path_factory.mktemp("joint") / "run", ema=0.9)


def command(*words):
    """Run `gentk WORDS` and return what it did."""
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.mark.parametrize(
    "changes", [{}, {"encoder": "revnet,depth=18,width=0.25,hidden=16"}, LABELLED]
)
def test_resumed_is_uninterrupted(tmp_path, changes):
    """Spectral norms, batch norms, dropout, drawn codes, labels: bit by bit the same weights."""
    whole = run(tmp_path / "whole", steps=2, **changes)
    run(tmp_path / "parts", steps=1, **changes)
    again = run(tmp_path / "parts", steps=2, **changes)
    one, two = (each.folder.checkpoints.load() for each in (whole, again))

    assert one.keys() == two.keys()
    for name in ("generator", "critic", *(("encoder",) if "encoder" in one else ())):
        assert all(torch.equal(one[name][key], two[name][key]) for key in one[name]), name


def test_scores_of_the_critic_are_logged(joint):
    """Mean and deviation of each score on each side, in metrics.jsonl, of every logged step."""
    out = joint.folder.path.parent / "logged"
    words = ["run", "gfmn"]
    for key, value in PARTS.items():
        if key not in ("observers", "phase"):
            words += [f"--{key}", value]
    done = command(*words, "--steps", 3, "--out", out, "--observer", "metrics")
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    for score in ("x", "z", "xz"):
        for side in ("data", "model"):
            assert all(row[f"spread/{score}/{side}"] > 0 for row in rows)
            assert f"score/{score}/{side}" in rows[0]


def test_a_loss_that_is_not_finite_stops_cleanly(tmp_path):
    """One sentence, and no checkpoint of broken weights."""
    with pytest.raises(NonFinite, match="step") as caught:
        run(tmp_path / "run", steps=60, optimizer="sgd,lr=1e30")
    assert "\n" not in str(caught.value)
    for step in gentk.runs.folder.RunFolder(tmp_path / "run").checkpoints.steps():
        kept = gentk.runs.folder.RunFolder(tmp_path / "run").checkpoints.load(step)
        assert all(torch.isfinite(v).all() for v in kept["generator"].values())


def test_an_encoder_may_read_larger_images(tmp_path):
    """It is given the data at its own size; generator, critic and samples keep the data's."""
    larger = "resnet,depth=10,width=0.25,hidden=16,size=64"
    done = run(tmp_path / "run", steps=1, encoder=larger)
    assert done.encoder.image == (3, 64, 64)
    assert done.sample(2).shape == (2, 3, 32, 32)
    assert done.reconstruct(torch.rand(2, 3, 32, 32)).shape == (2, 3, 32, 32)
    with pytest.raises(Incompatible, match=r"encoder 'resnet,.*by a whole factor"):
        run(tmp_path / "other", encoder="resnet,depth=10,width=0.25,hidden=16,size=48")


def test_truncated_latents_stay_inside(joint, tmp_path):
    """`gentk sample --truncation`: every |z| within the bound, other images, the same seed's."""
    assert joint.latents(500, truncation=0.5).abs().max() <= 0.5
    assert joint.latents(500).abs().max() > 2
    done = command(
        "sample", joint.folder.path, "--truncation", 0.5, "-n", 4, "--out", tmp_path / "a.png"
    )
    assert done.exit_code == 0, done.output
    refused = command("sample", joint.folder.path, "--as", "reconstruction", "--truncation", 0.5)
    assert refused.exit_code == 2 and "drop --truncation" in refused.stderr


def test_standing_statistics_are_the_weights_own(tmp_path):
    """Batch norms are measured anew, as plain means over passes; nothing else of the run changes."""
    plain = run(tmp_path / "plain", steps=2)
    standing = run(tmp_path / "standing", steps=2, generator="biggan,width=4,latent=8,standing=6")
    one, two = plain.generator, standing.generator
    assert not two.training
    norms = [m for m in two.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and all(m.momentum == 0.1 and int(m.num_batches_tracked) == 6 for m in norms)
    kept = two.state_dict()
    for name, value in one.state_dict().items():
        own = name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        assert own or torch.equal(value, kept[name]), name

    # The first norm sees a linear map of z: its statistics can be had by hand.
    seen = []
    hook = norms[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(100):
            two(two.prior.draw(8))
    hook.remove()
    mean = torch.cat(seen).mean((0, 2, 3))
    assert (norms[0].running_mean - mean).abs().max() < 0.5 * torch.cat(seen).std()

    again = gentk.load(tmp_path / "standing", device="cpu")
    assert torch.equal(again.sample(3), standing.sample(3))
    judged = command("evaluate", tmp_path / "standing", "--extractor", "pixels", "-n", 9, "--json")
    assert json.loads(judged.stdout)["protocol"]["batch_norm"] == "eval, of 6 batches"


def test_the_encoder_is_an_extractor_afterwards(joint, tmp_path):
    """For a matching run, for `probe`, and for reconstructions of test images."""
    place = joint.folder.path
    matched = gentk.run(
        "gfmn",
        data=DATA,
        extractor=[f"run:{place},layers=stage2+avepool"],
        generator="mlp,widths=16",
        steps=2,
        device="cpu",
        observers=[],
        out=str(tmp_path / "matched"),
    )
    assert matched.sample(1).shape == (1, 3, 32, 32)

    words = ("evaluate", place, "--metric", "probe,limit=150", "-n", 20, "--json", "--quiet")
    done = command(*words)
    assert done.exit_code == 0, done.output
    [row] = json.loads(done.stdout)["rows"]
    assert (
        0 <= row["value"] <= 1
        and row["extractor"] == f"run:{place}"
        and row["direction"] == "higher"
    )

    sheet = command("sample", place, "--as", "reconstruction", "-n", 4, "--out", tmp_path / "r.png")
    assert sheet.exit_code == 0 and (tmp_path / "r.png").is_file()


def test_classes_are_those_of_the_data(tmp_path):
    """A conditional run draws samples of one class on demand; other runs know none."""
    done = run(tmp_path / "run", **LABELLED)
    latents = done.latents(30, label="7")
    assert latents.shape == (30, 8 + 10) and (latents[:, 8:].argmax(1) == 7).all()
    assert len(done.latents(200)[:, 8:].argmax(1).unique()) == 10
    ships = done.sample(2, label=3)
    assert not torch.equal(ships, done.sample(2, label=4))
    assert torch.equal(ships, done.sample(2, label="3"))
    with pytest.raises(UsageError, match=r"there is no class 'ship'.* 0, 1"):
        done.sample(2, label="ship")
    sheet = command("sample", tmp_path / "run", "--label", 3, "-n", 2, "--out", tmp_path / "a.png")
    assert sheet.exit_code == 0, sheet.output
    path = tmp_path / "a.npz"
    array = command("sample", tmp_path / "run", "--as", "npz", "-n", 6, "--out", path)
    assert array.exit_code == 0, array.output
    latents = done.latents(6)
    assert np.load(path)["arr_1"].tolist() == latents[:, 8:].argmax(1).tolist()
    assert np.load(path)["arr_0"].shape == (6, 32, 32, 3)


def test_labels_may_be_anybodys(tmp_path, joint):
    """Pseudo-labels from a file take the place of the data's own, which need not have any."""
    np.savez(tmp_path / "images.npz", images=np.random.default_rng(0).random((40, 32, 32, 3)))
    np.save(tmp_path / "labels.npy", np.arange(40) % 3)
    plain = f"npz:{tmp_path / 'images.npz'}"
    parts = {**LABELLED, "data": plain}
    with pytest.raises(Incompatible, match=r"has images without a label; add\s+labels=FILE.npy"):
        run(tmp_path / "none", **parts)
    parts["data"] = f"{plain},labels={tmp_path / 'labels.npy'}"
    done = run(tmp_path / "run", steps=2, **parts)
    assert done.record["data"]["classes"] == {"0": 14, "1": 13, "2": 13}

    np.save(tmp_path / "labels.npy", np.arange(40) % 3 + 9)
    with pytest.raises(Incompatible, match=r"has the label 11 and .* write classes=12"):
        run(tmp_path / "more", **parts)
    with pytest.raises(Incompatible, match="write classes=10 in both"):
        run(tmp_path / "other", **{**parts, "generator": PARTS["generator"]})
    with pytest.raises(UsageError, match="knows no classes; drop label="):
        joint.sample(2, label=1)


@pytest.mark.parametrize(
    "name",
    ["bigan-mnist", "ali-cifar10", "bigbigan-cifar10", "bigbigan-cifar10-cpu", "bigbigan-imagenet"],
)
def test_recipes_can_be_composed(name):
    """All names, options and phases of the family's recipes exist and fit."""
    done = command("run", name, "--dry-run")
    assert done.exit_code == 0, done.output
    _, recipe = Library(Registry().modules).read(name)
    assert recipe["loss"].split(",")[0] in ("hinge", "logistic")
