"""Verdicts of claims: what values say, and what they cannot say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from gentk.sweeps.cell import Cell, reasons_of, verdict_of
from gentk.sweeps.comparison import WITHHELD, Column, Comparison


def cell(*values: float) -> Cell:
    """The values of a trial's seeds."""
    return Cell(values, None, False)


@pytest.mark.parametrize("direction", ["lower", "higher"])
@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        ((0.4999,), (0.5,), "is not decided"),
        ((0.4999, 0.4), (0.5,), "is not decided"),
        ((0.5, 0.5), (0.5, 0.5), "is a tie"),
        ((0.4, 0.6), (0.5, 0.5), "is a tie"),
        ((0.1, 0.1), (0.9, 0.9), "holds"),
        ((1.0, 1.5, 0.5), (2.0, 2.5, 1.5), "is within the noise"),
        ((1.0, 1.1, 0.9), (2.0, 2.1, 1.9), "holds"),
    ],
)
def test_a_claim_has_the_same_verdict_in_both_directions(low, high, verdict, direction):
    """One seed decides nothing, a tie is one either way, and what never varies is no noise."""
    better, worse = (low, high) if direction == "lower" else (high, low)
    assert verdict_of(cell(*better), cell(*worse), direction) == verdict
    opposite = {"holds": "does not hold"}.get(verdict, verdict)
    assert verdict_of(cell(*worse), cell(*better), direction) == opposite


@given(
    values=st.lists(st.floats(-9, 9), min_size=2, max_size=5),
    constant=st.floats(-9, 9),
)
def test_a_constant_side_is_what_a_one_sample_test_compares_with(values, constant):
    """Of one value, which no seed could move: scipy's own test is the oracle."""
    own, fixed = cell(*values), Cell((constant,), None, False, constant=True)
    assume(np.std(values) > 1e-6)
    p = ttest_1samp(values, constant).pvalue
    assume(abs(p - 0.05) > 1e-6)
    assert own.differs(fixed) == fixed.differs(own) == bool(p < 0.05)
    assert reasons_of([own, fixed]) == []
    assert verdict_of(fixed, Cell((constant + 1,), None, False, constant=True), "lower") == "holds"


def test_what_is_no_number_is_shown_and_decides_nothing():
    """Over seeds, where a standard deviation of it would end the page."""
    broken = cell(1.0, float("nan"))
    assert "nan" in str(broken)
    assert verdict_of(broken, cell(1.0, 2.0), "lower") == "is not decided"


@pytest.mark.parametrize(
    ("cells", "alike", "reasons"),
    [
        ([cell(1.0, 2.0), cell(2.0, 3.0)], True, []),
        ([cell(1.0), cell(2.0, 3.0)], True, ["one seed"]),
        ([cell(1.0, 2.0), cell(2.0, 3.0)], False, ["measured differently"]),
        (
            [Cell((1.0, 2.0), None, False, (), False), cell(2.0, 3.0)],
            True,
            ["measured differently"],
        ),
        ([Cell((1.0, 2.0), None, True), cell(2.0, 3.0)], True, ["trained in"]),
        ([cell(1.0, float("inf")), cell(2.0, 3.0)], True, ["not finite"]),
        (
            [Cell((float("nan"),), None, True)],
            False,
            ["measured differently", "trained in", "one seed", "not finite"],
        ),
    ],
)
def test_reasons_are_the_same_for_claims_and_tables(cells, alike, reasons):
    """One list, the strongest first: a table takes the first, a claim all but `trained in`."""
    assert reasons_of(cells, alike=alike) == reasons
    if len(cells) == 2:
        undecided = verdict_of(*cells, "lower", alike=alike) == "is not decided"
        assert undecided == bool(set(reasons) - {"trained in"})
    column = Column("fd", "fd", "pixels", "lower", alike=alike)
    groups = {str(number): [0] for number in range(len(cells))}
    shown = {(name, column): one for name, one in zip(groups, cells, strict=True)}
    table = Comparison(groups, [column], shown, {column: None}, [])
    if len(cells) == 2 and reasons:
        assert table.verdict(column) == WITHHELD[reasons[0]]
