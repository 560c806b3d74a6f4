"""Several losses in a run: what is recorded, resumed, refused."""

from __future__ import annotations

import json

import pytest
import torch

import gentk
from gentk.errors import BadOption, Incompatible
from gentk.recipe import Recipe, resolve

SMALL = {
    "data": "digits,size=8,limit=80",
    "extractor": ["pixels"],
    "generator": "mlp,latent=4,widths=16",
    "loss": ["moments", "mmd,factor=0.1"],
    "estimator": ["ama", "queue,size=24"],
    "batch": 16,
    "chunk": 5,
    "optimizer": "adam,lr=1e-2",
    "decay": "none",
    "ema": "none",
    "device": "cpu",
    "observers": [],
}


def run(**changes):
    return gentk.run("gfmn", **{**SMALL, **changes})


def tensors(run):
    """All tensors of a run's checkpoint, by place."""

    def flat(value, place=""):
        if isinstance(value, torch.Tensor):
            yield place, value
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from flat(item, f"{place}/{key}")

    return dict(flat(run.folder.checkpoints.load()))


def test_a_resumed_sum_ends_with_the_same_bits(tmp_path):
    """3 steps and 3 more equal 6 at once: both estimators' state is kept, under the losses' names."""
    run(out=str(tmp_path / "a"), steps=3)
    resumed = tensors(run(out=str(tmp_path / "a"), steps=6))
    whole = tensors(run(out=str(tmp_path / "b"), steps=6))
    assert resumed.keys() == whole.keys()
    assert any("estimator/moments" in name for name in whole)
    assert any("estimator/mmd" in name for name in whole)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_terms_are_named_by_loss(tmp_path):
    """metrics.jsonl has the sum, each loss and each term; two of one name are told apart."""
    run(
        out=str(tmp_path / "a"),
        steps=2,
        loss=["mmd", "mmd,kernel=energy,factor=2"],
        estimator="batch",
        observers=None,
        observer=["metrics"],
    )
    row = json.loads((tmp_path / "a/metrics.jsonl").read_text().splitlines()[-1])
    assert {"loss", "loss/mmd", "loss/mmd/mmd", "loss/mmd#2", "loss/mmd#2/mmd"} <= row.keys()
    assert row["loss"] == pytest.approx(row["loss/mmd"] + row["loss/mmd#2"])


def test_one_loss_is_recorded_as_ever():
    """A list of one, from a file or a flag, is the name itself: same record, same identity."""
    plain = Recipe(loss="moments", estimator="ama")
    listed = Recipe(loss=["moments"], estimator=("ama",))
    flagged = resolve("r", {"steps": 1}, {"loss": ("moments",), "estimator": ("ama",)}).recipe
    assert plain.identity() == listed.identity()
    assert listed.model_dump()["loss"] == "moments" and flagged.loss == "moments"
    assert Recipe(loss=["moments", "mmd"]).identity() != plain.identity()
    assert Recipe(loss=["moments", "mmd"]).estimators == ("batch", "batch")


def test_a_factor_scales_a_single_loss(tmp_path):
    """`--loss moments,factor=0.5` halves the first step's loss."""
    rows = [
        run(out=str(tmp_path / text), steps=1, loss=text, estimator="batch", chunk=None).result
        for text in ("moments", "moments,factor=0.5")
    ]
    assert rows[1]["loss"] == pytest.approx(rows[0]["loss"] / 2)
    assert rows[1]["loss/mean"] == pytest.approx(rows[0]["loss/mean"] / 2)


def test_reconstruction_losses_train_together(tmp_path):
    """An auto-encoder's losses add up as well."""
    done = run(
        out=str(tmp_path / "a"),
        steps=2,
        loss=["reconstruction", "reconstruction,distance=l1,factor=0.1"],
        encoder="mlp,widths=16",
        estimator=None,
        extractor=None,
    )
    result = done.result
    parts = result["loss/reconstruction"] + result["loss/reconstruction#2"]
    assert result["loss"] == pytest.approx(parts)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"loss": ["moments", "reconstruction"]}, Incompatible, "MatchingLoss"),
        (
            {"loss": ["reconstruction", "mmd"], "encoder": "mlp", "estimator": None},
            Incompatible,
            "ReconstructionLoss",
        ),
        ({"loss": ["logistic", "hinge"], "critic": "biggan"}, Incompatible, "AdversarialLoss"),
        ({"estimator": ["ama", "batch", "batch"]}, Incompatible, "estimator="),
        ({"estimator": ["queue", "queue"]}, Incompatible, "moments"),
        ({"loss": ["moments", "mmd,factor=0"]}, BadOption, "factor"),
        ({"loss": ["moments", "mmd,factor=nan"]}, BadOption, "factor"),
        ({"loss": "hinge,factor=2", "estimator": None}, Incompatible, "hinge,factor=2"),
        (
            {"loss": ["moments", "moments,covariance=none"], "reference": 8},
            Incompatible,
            "reference",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_added_is_refused(tmp_path, changes, error, words):
    """In a sentence that names it, before anything is made."""
    with pytest.raises(error, match=words):
        run(out=str(tmp_path / "a"), steps=1, **changes)
    assert not (tmp_path / "a").exists()


def test_what_is_typed_is_laid_over_a_sum():
    """One more with +, options alone, and a list of one: as for any other key."""
    table = {"steps": 1, "loss": "moments"}
    assert resolve("r", table, {"loss": ("+mmd,factor=2",)}).recipe.losses == (
        "moments",
        "mmd,factor=2",
    )
    assert resolve("r", table, {"loss": ("factor=2",)}).recipe.loss == "moments,factor=2"
    assert (
        resolve("r", {"steps": 1, "loss": ["moments", "mmd"]}, {"loss": "mmd"}).recipe.loss == "mmd"
    )
