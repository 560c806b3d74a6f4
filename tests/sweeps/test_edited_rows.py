"""Rows of parts that were edited under one name: a sweep keeps them, and says so."""

from __future__ import annotations

import pytest

import gentk
from gentk.errors import UsageError
from gentk.evaluation.plan import Plan
from gentk.registry import Registry
from gentk.sweeps.factorial import factorial
from gentk.sweeps.finish import Making, finish
from gentk.sweeps.row import read_rows

TEXT = """
from gentk.interfaces import MetricValue
from gentk_metrics.sliced import SlicedDistance
from gentk_moments.loss import MomentsLoss

class Loss(MomentsLoss):
    power = 1

    def forward(self, data, model):
        return {k: v * self.power for k, v in super().forward(data, model).items()}

class Metric(SlicedDistance):
    power = 1

    def values(self, reference, sample, **also):
        return [MetricValue("mind", 3.5 * self.power, direction="lower")]
"""
VALUE = 3.5
"""What the metric says before it is edited."""

SWEEP = """
title = "T"
seeds = [0, 1]

[run]
data = "digits,limit=200"
extractor = "pixels"
generator = "mlp,latent=4,widths=8"
batch = 16
steps = 2
loss = "edited-row-page"

[judge]
data = "digits,split=test"
extractors = ["pixels"]
count = 30

[[row]]
name = "a"
"""

CLAIM = """
[[claim]]
says = "Less is more"
better = "later"
worse = "a"
"""


def written(name, power):
    """Return a class as a cell of a notebook defines it."""
    space = {"__name__": "__main__"}
    exec(TEXT.replace("power = 1", f"power = {power}"), space)
    return space[name]


@pytest.fixture
def notes(flags, tmp_path):
    """Finish the same small sweep and return what people are told."""

    def call(losses=("moments",), metric="fd", out="sweep", rows=None):
        given = {**flags, "steps": 2, "out": str(tmp_path / out)}
        plan = Plan(metrics=(metric,), extractors=("pixels",), count=30)
        sweep = factorial(
            "gfmn",
            given,
            {"loss": list(losses)},
            Registry(),
            seeds=[0],
            rows=rows and tmp_path / rows,
            plan=plan,
        )
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


def test_an_edited_metric_measures_again_for_another_row(notes):
    """What a run's folder holds was measured by the former code: it is no value of the new one."""
    gentk.register("metric", "edited-row-again")(written("Metric", 1))
    notes(metric="edited-row-again")
    gentk.register("metric", "edited-row-again")(written("Metric", 2))
    _, rows = notes(metric="edited-row-again", rows="new.jsonl")

    assert [m.value for m in rows[0].measurements] == [2.0 * VALUE]


def test_a_page_says_that_its_rows_are_of_different_code(tmp_path):
    """Two rows of one loss, which was edited between them; their claim is not decided."""
    file = tmp_path / "s.toml"
    file.write_text(SWEEP, encoding="utf-8")
    gentk.register("loss", "edited-row-page")(written("Loss", 1))
    keys = {"page": tmp_path / "s.md", "out": tmp_path / "runs", "threads": 1}
    gentk.sweep(file, **keys)
    assert "edited between" not in (tmp_path / "s.md").read_text(encoding="utf-8")
    gentk.register("loss", "edited-row-page")(written("Loss", 2))
    file.write_text(SWEEP + '\n[[row]]\nname = "later"\nbatch = 12\n' + CLAIM, encoding="utf-8")
    outcome = gentk.sweep(file, **keys)
    page = (tmp_path / "s.md").read_text(encoding="utf-8")

    assert "loss 'edited-row-page'" in page and "edited between rows" in page
    assert "**is not decided**" in page and any("edited-row-page" in n for n in outcome.notes)


def test_a_page_is_not_written_over_something_else(tmp_path):
    """Neither the sweep file, nor its rows, nor a text of the user's."""
    file = tmp_path / "s.toml"
    file.write_text(SWEEP.replace("edited-row-page", "moments"), encoding="utf-8")
    (tmp_path / "mine.md").write_text("# Mine", encoding="utf-8")
    for page in ("s.toml", "s.jsonl", "s", "mine.md"):
        with pytest.raises(UsageError, match="page="):
            gentk.sweep(file, page=tmp_path / page, out=tmp_path / "runs")

    assert "[[row]]" in file.read_text(encoding="utf-8")
    assert (tmp_path / "mine.md").read_text(encoding="utf-8") == "# Mine"


def test_values_that_a_metric_does_not_have_are_refused_before_training(tmp_path):
    """The words name those that it has."""
    file = tmp_path / "s.toml"
    text = SWEEP.replace("edited-row-page", "moments").replace("count", 'values = ["fdd"]\ncount')
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"'fdd'.*\bfd\b"):
        gentk.sweep(file, out=tmp_path / "runs")

    assert not list((tmp_path / "runs").glob("a-*"))
