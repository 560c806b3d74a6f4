"""Losses balanced over extractors, and extractors' weights."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption, Incompatible
from gentk.families.balance import balanced
from gentk.families.learned import family_for
from gentk.registry import Registry
from gentk.runs.composing import compose

from .test_several import SMALL, run, tensors

NAMES = Registry()
TWO = ["pixels,weight=0.5", "pixels,range=signed"]


def program(**changes):
    """A composition's program, ready to step."""
    flags = {k: v for k, v in SMALL.items() if k != "observers"}
    c = compose("gfmn", registry=NAMES, **{**flags, "steps": 1, "chunk": None, **changes})
    family, _ = family_for(c.recipe, c.losses, NAMES)
    return c, family.program(c, None)


def shown(**changes):
    _, plan = program(estimator="batch", **changes)
    torch.manual_seed(0)
    return plan.phases[0].objective()


def test_weights_multiply_the_loss_of_each_extractor():
    """D = 0.5 D(pixels) + D(signed pixels): on means and variances 4 times and 16 times as large."""
    logged = shown(loss="moments,balance=equal", extractor=TWO)
    first, second = "loss/moments/pixels", "loss/moments/pixels#2"
    torch.testing.assert_close(logged["loss"], logged[first] + logged[second])
    alone = shown(loss="moments", extractor=["pixels"])
    for term, times in (("mean", 4), ("covariance", 16)):
        torch.testing.assert_close(
            logged[f"{first}/{term}"], 0.5 * alone[f"loss/{term}"], rtol=1e-5, atol=0
        )
        torch.testing.assert_close(
            logged[f"{second}/{term}"], times * alone[f"loss/{term}"], rtol=1e-4, atol=0
        )


@pytest.mark.parametrize("loss", ["moments", "mmd"])
def test_a_floor_is_free_of_units(loss):
    """Divided by its own floor, means of the same images in other units weigh as much."""
    kernel = ",kernel=dot" if loss == "mmd" else ",covariance=none"
    logged = shown(loss=f"{loss}{kernel},balance=floor", extractor=["pixels", TWO[1]])
    first, second = (logged[f"loss/{loss}/pixels{tail}"] for tail in ("", "#2"))
    torch.testing.assert_close(first, second, rtol=1e-3, atol=0)


def test_each_extractor_has_an_estimator_of_its_own(tmp_path):
    """3 steps and 3 more equal 6 at once, state kept by loss and extractor."""
    changes = {"loss": "moments,balance=equal", "extractor": TWO, "estimator": "ama"}
    run(out=str(tmp_path / "a"), steps=3, **changes)
    resumed = tensors(run(out=str(tmp_path / "a"), steps=6, **changes))
    whole = tensors(run(out=str(tmp_path / "b"), steps=6, **changes))
    assert resumed.keys() == whole.keys()
    assert any("estimator/moments/pixels#2" in name for name in whole)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"loss": "moments", "extractor": TWO}, Incompatible, "balance=equal"),
        ({"loss": "moments,balance=equal", "extractor": ["pixels,weight=0"]}, BadOption, "weight"),
        (
            {"loss": "reconstruction,balance=equal", "encoder": "mlp", "extractor": None},
            Incompatible,
            "balance",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_weighed_is_refused(tmp_path, changes, error, words):
    """In a sentence that names what to type."""
    changes = {"estimator": None, **changes} if "encoder" in changes else changes
    with pytest.raises(error, match=words):
        program(**{"estimator": "batch", **changes})


def test_one_loss_on_all_features_is_left_as_it_is():
    """The same part, with no extractor of its own."""
    c, _ = program(loss="moments", estimator="batch", extractor=["pixels", "identity"])
    assert [part.extractor for part in balanced(c.recipe, c.losses, NAMES)] == [None]
