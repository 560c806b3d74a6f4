"""Parts that are edited under one name: a run that is finished or goes on says that they were."""

from __future__ import annotations

import warnings

import gentk
import gentk.events
from gentk.errors import Note
from gentk.interfaces import Observer
from gentk_moments.loss import MomentsLoss

TEXT = """
from gentk_moments.loss import MomentsLoss

class Mine(MomentsLoss):
    power = 1

    def forward(self, data, model):
        return {k: v * self.power for k, v in super().forward(data, model).items()}
"""


def mine(power: int) -> type[MomentsLoss]:
    """Return the class as a cell of a notebook defines it."""
    space = {"__name__": "__main__"}
    exec(TEXT.replace("power = 1", f"power = {power}"), space)
    return space["Mine"]


def train(out, **keys):
    """Train a few steps; return the notes."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        gentk.run(
            data="digits,limit=64",
            extractor="pixels",
            generator="mlp,latent=4,widths=8",
            batch=8,
            device="cpu",
            out=out,
            **keys,
        )
    return [str(one.message) for one in told if issubclass(one.category, Note)]


def test_a_finished_run_says_that_its_loss_was_edited(tmp_path):
    """The same call does not train again; it says whose code made what is there."""
    gentk.register("loss", "edited-loss")(mine(1))
    first = train(tmp_path / "run", loss="edited-loss", steps=2, observer=[])
    same = train(tmp_path / "run", loss="edited-loss", steps=2, observer=[])
    gentk.register("loss", "edited-loss")(mine(2))
    (edited,) = train(tmp_path / "run", loss="edited-loss", steps=2, observer=[])

    assert first == same == []
    assert "edited-loss" in edited and "out" in edited
    assert train(tmp_path / "other", loss="edited-loss", steps=2, observer=[]) == []


def test_a_run_that_goes_on_says_that_its_loss_was_edited(tmp_path):
    """Each time, and when it is finished too: its result is of neither."""
    told: list[str] = []

    class Listener(Observer):
        def observe(self, event):
            if isinstance(event, gentk.events.Noticed):
                told.append(event.message)

    gentk.register("loss", "edited-late")(mine(1))
    train(tmp_path / "run", loss="edited-late", steps=2, observers=[Listener()])
    gentk.register("loss", "edited-late")(mine(3))
    assert not any("edited-late" in one for one in told)
    train(tmp_path / "run", loss="edited-late", steps=4, observers=[Listener()])
    assert sum("edited-late" in one for one in told) == 1
    (edited,) = train(tmp_path / "run", loss="edited-late", steps=4, observers=[])
    assert "edited-late" in edited


def test_a_named_function_is_told_by_its_code(tmp_path):
    """Its name is all that a recipe has of it."""

    def one(data, model):
        return (data["pixels"].mean(0) - model["pixels"].mean(0)).square().sum()

    def other(data, model):
        return (data["pixels"].mean(0) - model["pixels"].mean(0)).abs().sum()

    other.__qualname__ = one.__qualname__
    keys = {"estimator": "batch", "steps": 2, "observer": []}
    assert train(tmp_path / "run", loss=gentk.own(one, name="f"), **keys) == []
    assert train(tmp_path / "run", loss=gentk.own(one, name="f"), **keys) == []
    (edited,) = train(tmp_path / "run", loss=gentk.own(other, name="f"), **keys)
    assert "one-f" in edited


def test_parts_of_gentk_have_no_code_of_their_own(tmp_path):
    """Versions tell them."""
    train(tmp_path / "run", loss="moments", steps=1, observer=[])
    assert gentk.load(tmp_path / "run").record["code"] == {}
