"""Rows of parts that were edited under one name: a sweep keeps them, and says so."""

from __future__ import annotations

import pytest

import gentk
from gentk.evaluation.plan import Plan
from gentk.registry import Registry
from gentk.sweeps.factorial import factorial
from gentk.sweeps.finish import Making, finish
from gentk.sweeps.row import read_rows

TEXT = """
from gentk_metrics.sliced import SlicedDistance
from gentk_moments.loss import MomentsLoss

class Loss(MomentsLoss):
    power = 1

    def forward(self, data, model):
        return {k: v * self.power for k, v in super().forward(data, model).items()}

class Metric(SlicedDistance):
    power = 1

    def values(self, reference, sample, **also):
        self.power
        return super().values(reference, sample, **also)
"""


def written(name, power):
    """Return a class as a cell of a notebook defines it."""
    space = {"__name__": "__main__"}
    exec(TEXT.replace("power = 1", f"power = {power}"), space)
    return space[name]


@pytest.fixture
def notes(flags, tmp_path):
    """Finish the same small sweep and return what people are told."""

    def call(losses=("moments",), metric="fd", out="sweep"):
        given = {**flags, "steps": 2, "out": str(tmp_path / out)}
        plan = Plan(metrics=(metric,), extractors=("pixels",), count=30)
        sweep = factorial("gfmn", given, {"loss": list(losses)}, Registry(), seeds=[0], plan=plan)
        told = []
        finish(sweep, Making(silent=True, notice=told.append))
        return told, read_rows(sweep.rows)

    return call


def test_rows_of_a_loss_that_was_edited_are_told(notes):
    """Nothing is trained again; another folder has the new code, and its rows say nothing."""
    losses = ("moments", "edited-row-loss")
    gentk.register("loss", "edited-row-loss")(written("Loss", 1))
    first, rows = notes(losses)
    same, _ = notes(losses)
    gentk.register("loss", "edited-row-loss")(written("Loss", 2))
    (told,), after = notes(losses)

    assert first == same == []
    assert [list(row.code) for row in rows] == [[], ["loss 'edited-row-loss'"]] and after == rows
    assert "edited-row-loss" in told and "1 of the rows" in told and "--rows" in told
    assert notes(losses, out="other")[0] == []


def test_rows_of_a_metric_that_was_edited_are_told(notes):
    """A judge decides a row's values as a loss does."""
    gentk.register("metric", "edited-row-metric")(written("Metric", 1))
    assert notes(metric="edited-row-metric")[0] == []
    gentk.register("metric", "edited-row-metric")(written("Metric", 2))
    (told,), rows = notes(metric="edited-row-metric")

    assert len(rows) == 1 and "metric 'edited-row-metric'" in told


def test_code_of_another_python_is_not_compared(notes, monkeypatch):
    """Its bytecode differs anyhow."""
    gentk.register("loss", "edited-row-python")(written("Loss", 1))
    assert notes(("edited-row-python",))[0] == []
    gentk.register("loss", "edited-row-python")(written("Loss", 2))
    monkeypatch.setattr("gentk.runs.edited.sys.implementation.cache_tag", "cpython-399")

    assert notes(("edited-row-python",))[0] == []
