"""Grids: all combinations, refusals, and going on."""

from __future__ import annotations

import json

import pytest

from gentk.errors import UsageError
from gentk.registry import Registry
from gentk.runs.compare import tabulate
from gentk.runs.evaluation import evaluate
from gentk.runs.figures import keep_of_run
from gentk.runs.grid import Measure, entries_of, finish, lay_out, read_rows
from gentk.runs.training import make

OVER = {"loss": ["moments", "mmd"], "estimator": ["batch", "ama"]}
MEASURE = Measure(extractors=("pixels",), count=30)


@pytest.fixture
def grid(flags, tmp_path):
    """Lay out the small grid."""

    def call(**changes):
        settings = {"seeds": 2, "measure": MEASURE, **changes}
        given = {**flags, "steps": 4, "out": str(tmp_path / "grid")}
        return lay_out("quickstart", given, OVER, Registry(), **settings)

    return call


def test_all_combinations_and_what_does_not_fit(grid):
    """One seed of all before the next; ama cannot track samples, and the reason is told."""
    plan = grid()

    assert len(plan.plots) == 8 and [plot.seed for plot in plan.plots] == [0] * 4 + [1] * 4
    refused = {plot.name: plot.refused for plot in plan.plots if plot.refused}
    assert list(refused) == ["loss=mmd estimator=ama"]
    assert "cannot track" in refused["loss=mmd estimator=ama"]


def test_it_goes_on_where_it_stopped(grid):
    """Rows are appended as runs finish; none is made twice; the table is of all."""
    plan = grid(seeds=1)
    finish(plan, Registry(), silent=True)
    first = plan.rows.read_text(encoding="utf-8")
    begun = []
    more = grid()
    finish(more, Registry(), silent=True, begin=begun.append)

    assert len(read_rows(plan.rows)) == 6 and plan.rows.read_text(encoding="utf-8").startswith(
        first
    )
    assert [plot.seed for plot in begun] == [1, 1, 1]
    found = tabulate(entries_of(more))
    assert set(found.groups.values().__iter__().__next__()) == {0, 1} and len(found.groups) == 3


def test_runs_made_elsewhere_are_found(grid, monkeypatch):
    """What the printed commands made and judged is neither made nor judged again."""
    plan = grid(seeds=1)
    plot = plan.plots[0]
    run = make(plot.resolved, Registry(), [])
    keep_of_run(
        str(run.folder.path), evaluate(str(run.folder.path), extractors=("pixels",), count=30)
    )
    calls = []
    monkeypatch.setattr(
        "gentk.runs.grid.evaluate", lambda *a, **k: calls.append(a) or evaluate(*a, **k)
    )
    finish(plan, Registry(), silent=True)

    assert len(calls) == 2 and len(read_rows(plan.rows)) == 3


def test_a_run_that_diverges_is_a_row(grid, flags, tmp_path):
    """The others are made, and it is not tried again."""
    given = {**flags, "steps": 10, "out": str(tmp_path / "grid")}
    over = {"optimizer": ["adam,lr=1e-3", "sgd,lr=1e30"]}
    plan = lay_out("quickstart", given, over, Registry(), measure=MEASURE)
    finish(plan, Registry(), silent=True)
    rows = read_rows(plan.rows)

    assert ["failed" in row for row in rows] == [False, True]
    finish(plan, Registry(), silent=True)
    assert len(read_rows(plan.rows)) == 2


@pytest.mark.parametrize("key", ["steps", "minutes", "seed", "out", "los"])
def test_keys_that_a_grid_cannot_vary_are_one_sentence(flags, key):
    """Budgets are equal; seeds are counted; unknown keys are refused."""
    with pytest.raises(UsageError, match="type"):
        lay_out("quickstart", flags, {key: ["1"]}, Registry())


def test_a_file_of_something_else_is_not_taken_for_rows(tmp_path):
    """It is named in the sentence."""
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"a": 1}), encoding="utf-8")
    with pytest.raises(UsageError, match="--rows"):
        read_rows(path)
