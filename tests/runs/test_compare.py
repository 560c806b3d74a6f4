"""Comparisons: seeds, noise, and protocols that differ."""

from __future__ import annotations

import pytest

from gentk.errors import RunError, UsageError
from gentk.runs.compare import Entry, compare, tabulate
from gentk.runs.evaluation import evaluate
from gentk.runs.figures import keep_of_run

PROTOCOL = {
    "samples": 100,
    "reference": {"split": "test", "count": 50, "name": "digits"},
    "extractor": {"fingerprint": "a"},
}


def figure(value: float, better: str = "lower", **changes):
    """One figure with its protocol."""
    row = {"metric": "m", "figure": "m", "extractor": "e", "better": better}
    row |= {"value": value, "error": 0.1, "trained_on": False, **changes}
    return {**row, "protocol": row.get("protocol", PROTOCOL)}


def table(better: str = "lower", mixed: bool = False, **groups):
    """A comparison of values by group, one a seed."""
    entries = [
        Entry(name, seed, [figure(value, better)], name)
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


def test_no_winner_is_called_within_the_noise_or_on_one_seed():
    """Twice the deviation of the difference; the better way is the figure's own."""
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
    other = {**PROTOCOL, "samples": 200}
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
            keep_of_run(out, evaluate(out, extractors=("pixels",), count=40))
            places.append(out)
    found = compare(places)

    assert found.groups == {"loss=moments": [0, 1], "loss=moments,covariance=none": [0, 1]}
    again = compare(places[:1])
    assert list(again.groups) == ["quickstart"]


def test_a_run_without_figures_is_one_sentence(small):
    """It says what to type."""
    path = str(small().folder.path)
    with pytest.raises(RunError, match=f"type: gentk evaluate {path}"):
        compare([path])
