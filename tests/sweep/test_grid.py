"""Grids: all combinations, refusals, and going on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gentk.errors import DataError, UsageError
from gentk.evaluation.evaluate import evaluate
from gentk.evaluation.plan import Plan
from gentk.evaluation.record import FILE, append, append_to_run, read
from gentk.evaluation.settled import recorded
from gentk.registry import Registry
from gentk.runs.training import make
from gentk.sweep.comparison import tabulate
from gentk.sweep.grid import entries_of, failures_of, finish, lay_out, read_rows

OVER = {"loss": ["moments", "mmd"], "estimator": ["batch", "ama"]}
MEASURE = Plan(extractors=("pixels",), count=30)


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
    append_to_run(str(run.folder.path), evaluate(str(run.folder.path), MEASURE).measurements)
    calls = []
    monkeypatch.setattr(
        "gentk.evaluation.settled.evaluate",
        lambda *a: calls.append(a) or evaluate(*a),
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


def test_figures_against_another_reference_are_not_taken(grid):
    """Without --against the reference is the test split of the run's own data."""
    plan = grid(seeds=1)
    run = make(plan.plots[0].resolved, Registry(), [])
    place = str(run.folder.path)
    other = replace(MEASURE, data="digits,split=train")
    append_to_run(place, evaluate(place, other).measurements)
    finish(plan, Registry(), silent=True)

    references = {
        figure["protocol"]["reference"]["split"]
        for row in read_rows(plan.rows)
        for figure in row["figures"]
    }
    assert references == {"test"} and len(tabulate(entries_of(plan)).columns) > 0


def test_measurements_of_a_metric_are_of_one_evaluation(small):
    """Those of the last one; what an earlier one had besides is not mixed in."""
    run = small()
    place = str(run.folder.path)
    plan = Plan(metrics=("prdc",), extractors=("pixels",), count=30)
    append_to_run(place, evaluate(place, plan).measurements)
    measurements = [row.measurement for row in read(run.folder.path)]
    stray = replace(measurements[0], name="stray")
    (run.folder.path / FILE).unlink()
    append(run.folder.path, [stray, *measurements[:2], *measurements], 6)

    assert recorded(run.folder.path, 6, plan, Registry()) == measurements


def test_a_run_that_cannot_be_judged_is_a_row_and_tried_again(grid, monkeypatch):
    """The others go on; what diverges is final, what was refused is not."""
    plan = grid(seeds=1)

    def fails(subject, *asked):
        if "batch" in subject:
            raise DataError("no room; type it again")
        return evaluate(subject, *asked)

    monkeypatch.setattr("gentk.evaluation.settled.evaluate", fails)
    finish(plan, Registry(), silent=True)
    assert [why for _, why in failures_of(plan)] == ["no room; type it again"] * 2
    assert len(entries_of(plan)) == 1
    monkeypatch.undo()
    finish(plan, Registry(), silent=True)
    assert not failures_of(plan) and len(entries_of(plan)) == 3


def test_a_row_that_was_cut_off_is_passed_over(grid):
    """Its run is found in its folder, and nothing is glued to the rest of the line."""
    plan = grid(seeds=1)
    finish(plan, Registry(), silent=True)
    whole = plan.rows.read_text(encoding="utf-8")
    plan.rows.write_text(whole[:-30], encoding="utf-8")
    notes = []
    assert len(read_rows(plan.rows, notes.append)) == 2 and "1 line of" in notes[0]
    finish(plan, Registry(), silent=True)
    assert len(read_rows(plan.rows)) == len(entries_of(plan)) == 3


def test_rows_are_read_again_before_each_run(grid):
    """Another process may have made a run meanwhile."""
    plan = grid(seeds=1)
    begun = []

    def begin(plot):
        if not begun:
            finish(plan, Registry(), silent=True, begin=lambda other: None)
        begun.append(plot)

    finish(plan, Registry(), silent=True, begin=begin)
    assert len(begun) == 1 and len(entries_of(plan)) == 3


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
