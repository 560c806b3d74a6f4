"""Comparisons: seeds, noise, and protocols that differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_ind

from gentk.errors import RunError, UsageError
from gentk.evaluation.evaluate import evaluate
from gentk.evaluation.measurement import Measurement, Preparation, Protocol, Reference
from gentk.evaluation.plan import Plan
from gentk.evaluation.record import append_to_run
from gentk.sweeps.compare import _names, compare
from gentk.sweeps.comparison import Entry, tabulate

PROTOCOL = Protocol("", 100, 0, Reference("digits", "test", 50), Preparation("a"))


def figure(value: float, direction: str = "lower", **changes):
    """One value with its protocol."""
    plain = Measurement("", "m", "e", "m", value, 0.1, direction, False, PROTOCOL)
    return replace(plain, **changes)


def table(direction: str = "lower", mixed: bool = False, **groups):
    """A comparison of values by group, one a seed."""
    entries = [
        Entry(name, seed, [figure(value, direction)], name)
        for name, values in groups.items()
        for seed, value in enumerate(values)
    ]
    return tabulate(entries, mixed=mixed)


def test_a_row_is_mean_and_deviation_over_seeds():
    """Of one seed the standard error stands in, and is called so."""
    found = table(a=[1.0, 2.0, 3.0], b=[5.0])
    (column,) = found.columns

    assert str(found.cells["a", column]) == "2 ± 1"
    assert str(found.cells["b", column]) == "5 ± 0.1 s.e. (1 seed)"
    assert found.groups == {"a": [0, 1, 2], "b": [0]}


def test_on_a_terminal_cells_say_what_no_column_says():
    """Seeds have a column, better is an arrow, and 380 is not 3.8e+02."""
    found = table(a=[2000.0, 2380.0, 2760.0], b=[5.0])
    head, rows = found.lines(found.columns, brief=True)

    assert head == ["run", "seeds", "m ↓"]
    assert rows == [["a", "3", "2380 ± 380"], ["b", "1", "5 ± 0.1 s.e."]]


def test_no_winner_is_called_within_the_noise_or_on_one_seed():
    """Welch's t-test at 95 %; the better way is the figure's own."""
    clear = table(a=[1.0, 1.1, 0.9], b=[2.0, 2.1, 1.9])
    near = table(a=[1.0, 1.5, 0.5], b=[2.0, 2.5, 1.5])
    one = table(a=[1.0], b=[9.0])
    higher = table("higher", a=[1.0, 1.1, 0.9], b=[2.0, 2.1, 1.9])

    assert clear.verdict(clear.columns[0]) == "best: a"
    assert higher.verdict(higher.columns[0]) == "best: b"
    assert "within the noise" in near.verdict(near.columns[0])
    assert "one seed" in one.verdict(one.columns[0])
    # A third, noisy one that the best does not beat clearly.
    three = table(a=[1.0, 1.1, 0.9], b=[2.0, 2.1, 1.9], c=[0.0, 6.0, 9.0])
    assert "within the noise" in three.verdict(three.columns[0])


def test_means_are_told_apart_as_by_scipy():
    """An independent Welch test; two seeds a side are rarely enough."""
    draw = np.random.default_rng(0)
    calls = 0
    for _ in range(400):
        one, other = draw.normal(size=(2, 2)).tolist()
        found = table(a=one, b=other)
        called = found.verdict(found.columns[0]).startswith("best")
        assert called == (ttest_ind(one, other, equal_var=False).pvalue < 0.05)
        calls += called
    assert calls < 0.05 * 400
    # Where no seed moves a value, any gap is a difference.
    still = table(a=[0.9, 0.9], b=[0.1, 0.1])
    assert still.verdict(still.columns[0]) == "best: b"
    tied = table(a=[0.9, 0.9], b=[0.9, 0.9])
    assert "tie" in tied.verdict(tied.columns[0])


def test_a_figure_without_direction_has_no_verdict():
    """It is shown only."""
    found = table("none", a=[1.0, 1.1], b=[9.0, 9.1])
    assert found.verdict(found.columns[0]) is None


def test_ways_of_measuring_are_columns_of_their_own():
    """Three evaluations of one run are no three seeds."""
    ways = [PROTOCOL, replace(PROTOCOL, samples=200), replace(PROTOCOL, samples=300)]
    rows = [figure(float(n), protocol=way) for n, way in enumerate(ways)]
    found = tabulate([Entry("a", seed, [*rows, rows[0]], "a") for seed in (0, 1)])

    assert [column.label for column in found.columns] == [f"samples {n}" for n in (100, 200, 300)]
    assert [found.cells["a", column].values for column in found.columns] == [(0, 0), (1, 1), (2, 2)]
    assert [found.protocols[column].samples for column in found.columns] == [100, 200, 300]


def test_mixed_figures_call_no_winner():
    """Two runs of 100 samples, two of 1,000."""
    other = replace(PROTOCOL, samples=1000)
    entries = [Entry("a", s, [figure(1.0 + s / 99)], "a") for s in (0, 1)] + [
        Entry("b", s, [figure(9.0 + s / 99, protocol=other)], "b") for s in (0, 1)
    ]
    found = tabulate(entries, mixed=True)
    (column,) = found.columns

    assert "measured differently" in found.verdict(column) and found.protocols[column] is None
    assert found.cells["a", column].std is not None
    # One group of both kinds has no spread of seeds either.
    one = tabulate([Entry("a", e.seed, e.measurements, "a") for e in entries[1:3]], mixed=True)
    assert one.cells["a", one.columns[0]].std is None


def test_a_cell_counts_its_own_seeds():
    """Where not all runs have a figure, and where runs failed."""
    entries = [Entry("a", 0, [figure(1.0), figure(2.0, name="k")], "a")]
    entries += [Entry("a", 1, [figure(1.0)], "a"), Entry("b", 0, [figure(2.0)], "b")]
    found = tabulate(entries, mixed=True, failed={"b": [1], "c": [0]})
    first, second = found.columns

    assert found.cells["a", first].seeds == (0, 1) and found.cells["a", second].seeds == (0,)
    assert found.groups == {"a": [0, 1], "b": [0], "c": []} and found.failed["b"] == [1]


def test_the_encoder_of_the_judged_run_is_one_extractor():
    """Wherever the run lies; its weights are what is judged. Another run's encoder is itself."""

    def probed(name, extractor, mark, **more):
        own = replace(PROTOCOL, subject=name, preparation=Preparation(mark))
        return Entry(name, 0, [figure(1.0, extractor=extractor, protocol=own, **more)], name)

    own = [probed(name, f"run:./{name}", name) for name in ("a", "b")]
    assert [column.extractor for column in tabulate(own).columns] == ["run"]
    layers = [probed(name, f"run:{name},layers=code", name) for name in ("a", "b")]
    assert [column.extractor for column in tabulate(layers).columns] == ["run,layers=code"]
    with pytest.raises(UsageError):
        tabulate([own[0], layers[1]])
    with pytest.raises(UsageError):
        tabulate([probed(name, "run:c", name) for name in ("a", "b")])


def test_a_judge_the_run_was_trained_with_calls_no_winner():
    """The figure is shown, and marked."""
    entries = [Entry("a", s, [figure(1.0, trained_on=True)], "a") for s in (0, 1)] + [
        Entry("b", s, [figure(9.0)], "b") for s in (0, 1)
    ]
    found = tabulate(entries)

    assert "no judge" in found.verdict(found.columns[0])
    assert str(found.cells["a", found.columns[0]]).endswith("*")


def test_other_protocols_are_refused_unless_asked_for():
    """What differs is said; figures that do agree are shown."""
    other = replace(PROTOCOL, samples=200)
    entries = [Entry("a", 0, [figure(1.0)], "a"), Entry("b", 0, [figure(2.0, protocol=other)], "b")]
    with pytest.raises(UsageError, match=r"samples: 100 or 200.*--mixed"):
        tabulate(entries)
    mixed = tabulate(entries, mixed=True)
    assert len(mixed.columns) == 1 and "samples: 100 or 200" in mixed.notes[0]
    both = [*entries[:1], Entry("b", 0, [figure(2.0, protocol=other), figure(3.0)], "b")]
    assert tabulate(both).cells["b", tabulate(both).columns[0]].values == (3.0,)


def test_runs_are_grouped_by_recipe_and_called_by_what_differs(small, tmp_path):
    """Seeds of one recipe are one row."""
    places = []
    for loss in ("moments", "moments,covariance=none"):
        for seed in (0, 1):
            out = str(tmp_path / f"{loss}-{seed}")
            small(loss=loss, seed=seed, out=out)
            judged = evaluate(out, Plan(extractors=("pixels",), count=40))
            append_to_run(out, judged.measurements, judged.steps)
            places.append(out)
    found = compare(places)

    assert found.groups == {"loss=moments": [0, 1], "loss=moments,covariance=none": [0, 1]}
    again = compare(places[:1])
    assert list(again.groups) == ["gfmn"]


def test_a_run_without_figures_is_one_sentence(small):
    """It says what to type."""
    path = str(small().folder.path)
    with pytest.raises(RunError, match=f"type: gentk evaluate {path}"):
        compare([path])


def test_a_key_that_an_older_record_lacks_is_its_default():
    """Runs of before and after a recipe had a key differ in what was typed, and not in that key."""
    before = {"recipe_name": "x", "recipe": {"loss": "moments", "steps": 3}}
    after = {
        "recipe_name": "x",
        "recipe": {"loss": "mmd", "steps": 3, "operations": None, "clip": None},
    }

    assert _names([before, after]) == ["loss=moments", "loss=mmd"]
    assert _names([before, {**after, "recipe": {**after["recipe"], "clip": 1.0}}]) == [
        "loss=moments clip=none",
        "loss=mmd clip=1.0",
    ]
