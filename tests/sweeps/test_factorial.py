"""Factorial sweeps: all combinations, refusals, and going on."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from gentk import journal
from gentk.errors import DataError, UsageError
from gentk.evaluation.evaluate import evaluate
from gentk.evaluation.plan import Plan
from gentk.evaluation.record import append, append_to_run, read
from gentk.evaluation.settled import recorded
from gentk.registry import Registry
from gentk.runs.folder import VALUES, RunFolder
from gentk.runs.training import make
from gentk.sweeps.comparison import Entry, tabulate
from gentk.sweeps.factorial import factorial
from gentk.sweeps.finish import Making, finish
from gentk.sweeps.row import commit, read_rows

OVER = {"loss": ["moments", "mmd"], "estimator": ["batch", "ama"]}
MEASURE = Plan(extractors=("pixels",), count=30)


@pytest.fixture
def small_sweep(flags, tmp_path):
    """Return the small sweep of so many seeds."""

    def call(seeds=2):
        given = {**flags, "steps": 4, "out": str(tmp_path / "sweep")}
        return factorial("gfmn", given, OVER, Registry(), seeds=range(seeds), plan=MEASURE)

    return call


def keep(evaluation):
    """Add what was measured to a run's record."""
    append_to_run(evaluation.subject, evaluation.measurements, evaluation.steps)


def finished(sweep, **more):
    """Finish a sweep in silence."""
    finish(sweep, Making(silent=True, **more))


def entries(sweep):
    """The trials of a sweep that have values."""
    return [
        Entry(trial.name, trial.seed, row.measurements, row.folder)
        for trial, row in sweep.settled().items()
        if row.failed is None
    ]


def failures(sweep):
    """Why trials of a sweep failed."""
    return [row.failed for row in sweep.settled().values() if row.failed is not None]


def test_all_combinations_and_what_does_not_fit(small_sweep):
    """One seed of all before the next; ama cannot track samples, and the reason is told."""
    sweep = small_sweep()

    assert len(sweep.trials) == 8 and [trial.seed for trial in sweep.trials] == [0] * 4 + [1] * 4
    refused = {trial.name: trial.refused for trial in sweep.trials if trial.refused}
    assert list(refused) == ["loss=mmd estimator=ama"]
    assert "cannot track" in refused["loss=mmd estimator=ama"]


def test_it_goes_on_where_it_stopped(small_sweep):
    """Rows are appended as runs finish; none is made twice; the table is of all."""
    sweep = small_sweep(seeds=1)
    finished(sweep)
    first = sweep.rows.read_text(encoding="utf-8")
    begun = []
    more = small_sweep()
    finished(more, begin=begun.append)

    assert len(read_rows(sweep.rows)) == 6 and sweep.rows.read_text(encoding="utf-8").startswith(
        first
    )
    assert [trial.seed for trial in begun] == [1, 1, 1]
    groups = tabulate(entries(more)).groups
    assert [set(seeds) for seeds in groups.values()] == [{0, 1}] * 3


def test_runs_made_elsewhere_are_found(small_sweep, monkeypatch):
    """What the printed commands made and judged is neither made nor judged again."""
    sweep = small_sweep(seeds=1)
    trial = sweep.trials[0]
    run = make(trial.resolved, Registry(), [])
    keep(evaluate(str(run.folder.path), MEASURE))
    calls = []
    monkeypatch.setattr(
        "gentk.evaluation.settled.evaluate",
        lambda *a: calls.append(a) or evaluate(*a),
    )
    finished(sweep)

    assert len(calls) == 2 and len(read_rows(sweep.rows)) == 3


def test_a_run_that_diverges_is_a_row(small_sweep, flags, tmp_path):
    """The others are made, and it is not tried again."""
    given = {**flags, "steps": 10, "out": str(tmp_path / "sweep")}
    over = {"optimizer": ["adam,lr=1e-3", "sgd,lr=1e30"]}
    sweep = factorial("gfmn", given, over, Registry(), plan=MEASURE)
    finished(sweep)
    rows = read_rows(sweep.rows)

    assert [row.failed is not None for row in rows] == [False, True]
    finished(sweep)
    assert len(read_rows(sweep.rows)) == 2


def test_figures_against_another_reference_are_not_taken(small_sweep):
    """Without --against the reference is the test split of the run's own data."""
    sweep = small_sweep(seeds=1)
    run = make(sweep.trials[0].resolved, Registry(), [])
    place = str(run.folder.path)
    other = replace(MEASURE, data="digits,split=train")
    keep(evaluate(place, other))
    finished(sweep)

    references = {
        measurement.protocol.reference.split
        for row in read_rows(sweep.rows)
        for measurement in row.measurements
    }
    assert references == {"test"} and len(tabulate(entries(sweep)).columns) > 0


def test_measurements_of_a_metric_are_of_one_evaluation(small):
    """Those of the last one; what an earlier one had besides is not mixed in."""
    run = small()
    place = str(run.folder.path)
    plan = Plan(metrics=("prdc",), extractors=("pixels",), count=30)
    keep(evaluate(place, plan))
    measurements = [row.measurement for row in read(run.folder.path)]
    stray = replace(measurements[0], name="stray")
    (run.folder.path / VALUES).unlink()
    append(run.folder.path, [stray, *measurements[:2], *measurements], 6)

    assert recorded(run.folder.path, 6, plan, Registry()) == measurements


def test_a_run_that_cannot_be_judged_is_a_row_and_tried_again(small_sweep, monkeypatch):
    """The others go on; what diverges is final, what was refused is not."""
    sweep = small_sweep(seeds=1)

    def fails(subject, *asked):
        if "batch" in subject:
            raise DataError("no room; type it again")
        return evaluate(subject, *asked)

    monkeypatch.setattr("gentk.evaluation.settled.evaluate", fails)
    finished(sweep)
    assert failures(sweep) == ["no room; type it again"] * 2
    assert len(entries(sweep)) == 1
    monkeypatch.undo()
    finished(sweep)
    assert not failures(sweep) and len(entries(sweep)) == 3


def test_a_row_that_was_cut_off_is_passed_over(small_sweep):
    """Its run is found in its folder, and nothing is glued to the rest of the line."""
    sweep = small_sweep(seeds=1)
    finished(sweep)
    whole = sweep.rows.read_text(encoding="utf-8")
    sweep.rows.write_text(whole[:-30], encoding="utf-8")
    notes = []
    assert len(read_rows(sweep.rows, notes.append)) == 2 and "1 line of" in notes[0]
    finished(sweep)
    assert len(read_rows(sweep.rows)) == len(entries(sweep)) == 3


def test_rows_are_read_again_before_each_run(small_sweep):
    """Another process may have made a run meanwhile."""
    sweep = small_sweep(seeds=1)
    begun = []

    def begin(trial):
        if not begun:
            finished(sweep)
        begun.append(trial)

    finished(sweep, begin=begin)
    assert len(begun) == 1 and len(entries(sweep)) == 3


@pytest.mark.parametrize("key", ["steps", "minutes", "seed", "out", "los"])
def test_keys_that_a_sweep_cannot_vary_are_one_sentence(flags, key):
    """Budgets are equal; seeds are counted; unknown keys are refused."""
    with pytest.raises(UsageError, match="type"):
        factorial("gfmn", flags, {key: ["1"]}, Registry())


def test_a_file_of_something_else_is_not_taken_for_rows(tmp_path):
    """It is named in the sentence."""
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"a": 1}), encoding="utf-8")
    with pytest.raises(UsageError, match="--rows"):
        read_rows(path)


def test_a_trial_that_another_process_makes_is_left_to_it(small_sweep):
    """No row says that it failed; the others are made, and the sweep says what is missing."""
    sweep = small_sweep(seeds=1)
    folder = sweep.trials[0].resolved.folder()
    ready, done = threading.Event(), threading.Event()

    def other():
        with RunFolder(folder).owned():
            ready.set()
            done.wait(60)

    worker = threading.Thread(target=other)
    worker.start()
    ready.wait(60)
    notices = []
    try:
        finished(sweep, notice=notices.append)
    finally:
        done.set()
        worker.join()
    assert len(entries(sweep)) == 2 and not failures(sweep)
    assert "1 of the trials" in notices[0] and sweep.trials[0].name in notices[0]
    finished(sweep)
    assert len(entries(sweep)) == 3


def test_a_row_says_where_it_comes_from(small_sweep):
    """Date, commit, command, seed and what was laid over the recipe, as they are read back."""
    sweep = small_sweep(seeds=1)
    finished(sweep)
    row = read_rows(sweep.rows)[0]

    assert row.command.startswith("gentk run gfmn") and "--loss moments" in row.command
    assert row.date and row.flags["loss"] == "moments" and row.result["steps"] == 4
    assert row.threads is None and row.commit == commit()


def test_rows_of_earlier_versions_are_found(small_sweep):
    """They called a name `row` and measurements `figures`, and have the same key."""
    sweep = small_sweep(seeds=1)
    finished(sweep)
    tables = [row.table() for row in read_rows(sweep.rows)]
    for table in tables:
        table["row"], table["figures"] = table.pop("name"), table.pop("measurements")
    sweep.rows.unlink()
    journal.append(sweep.rows, tables)
    before = sweep.rows.read_bytes()
    finished(sweep)

    assert sweep.rows.read_bytes() == before and len(entries(sweep)) == 3


def test_a_key_knows_the_stages_and_no_folder(flags, tmp_path):
    """Another budget of a stage is another trial; another place is the same."""

    def key(steps, out):
        stage = {"first": {"loss": "moments", "steps": steps}}
        given = {**flags, "init": "stage:first", "stage": stage, "steps": 4, "out": str(out)}
        sweep = factorial("gfmn", given, {"loss": ["moments"]}, Registry(), plan=MEASURE)
        assert sweep.trials[0].refused is None
        return sweep.trials[0].key

    assert key(4, tmp_path / "a") == key(4, tmp_path / "b") != key(5, tmp_path / "a")
