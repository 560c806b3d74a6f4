"""Verdicts of claims: what values say, and what they cannot say."""

from __future__ import annotations

import pytest

from gentk.sweeps.cell import Cell, verdict_of


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


def test_what_is_no_number_is_shown_and_decides_nothing():
    """Over seeds, where a standard deviation of it would end the page."""
    broken = cell(1.0, float("nan"))
    assert "nan" in str(broken)
    assert verdict_of(broken, cell(1.0, 2.0), "lower") == "is not decided"
