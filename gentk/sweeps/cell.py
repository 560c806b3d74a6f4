"""Cells: one metric over the seeds of a trial, and whether two of them differ.

    mean +- std over seeds;   t = |m1 - m2| / sqrt(s1^2 / n1 + s2^2 / n2)

Retraining with another seed moves a value more than other samples of the same run do, so that nothing is
called different on one seed: each side needs two, and with two the test asks for a wide gap. Where no
seed moves a value at all, any gap is a difference. A side for which nothing is drawn or trained is a
constant, s2 = 0, of which one value is all there is.

Source: B. L. Welch, The generalization of "Student's" problem when several different population
variances are involved, Biometrika 34 (1947).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from ..evaluation.measurement import Direction, Measurement
from ..numerals import decimal

__all__ = ["UNITS", "Cell", "Reason", "Verdict", "cell_of", "reasons_of", "verdict_of"]

UNITS = "± is the standard deviation over seeds, or s.e. the standard error of one."
"""What stands after the mean in a cell."""

LEVEL = 0.95
"""Two means are called different at this level."""

Verdict = Literal["holds", "does not hold", "is within the noise", "is a tie", "is not decided"]
"""What values say of a claim that one side is better.

`is not decided` for every `Reason` but one: values in features that a run was trained in say something
of these runs, though they do not judge them.
"""

Reason = Literal["measured differently", "trained in", "one seed", "not finite"]
"""Why nobody is called better by some cells."""


@dataclass(frozen=True)
class Cell:
    """A metric's values over the seeds of a trial.

    Attributes:
        values: One a seed.
        error: The standard error of the only one, where known.
        trained_on: Whether a run was trained in the judge's features.
        seeds: The seeds.
        alike: Whether all were measured in the same way.
        constant: Whether no seed could move its one value: nothing was drawn or trained for it.
    """

    values: tuple[float, ...]
    error: float | None
    trained_on: bool
    seeds: tuple[int, ...] = ()
    alike: bool = True
    constant: bool = False

    @property
    def few(self) -> bool:
        """Whether it has too few seeds for anything to be said of them."""
        return len(self.values) < 2 and not self.constant

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.values)

    @property
    def std(self) -> float | None:
        """The standard deviation over seeds; None for one, or if they were measured differently."""
        if len(self.values) < 2 or not self.alike:
            return None
        return statistics.stdev(self.values) if all(map(isfinite, self.values)) else math.nan

    def differs(self, other: Cell) -> bool:
        """Say whether Welch's t-test tells two means apart; never with one seed on a side."""
        if self.few or other.few:
            return False
        sides = [
            (statistics.variance(c.values) / len(c.values), len(c.values))
            for c in (self, other)
            if not c.constant
        ]
        noise = sum(part for part, _ in sides)
        if noise == 0:
            return self.mean != other.mean
        freedom = noise**2 / sum(part**2 / (count - 1) for part, count in sides)
        from scipy.special import stdtrit

        bound = float(stdtrit(freedom, (1 + LEVEL) / 2))
        return abs(self.mean - other.mean) > bound * math.sqrt(noise)

    def brief(self, most: int) -> str:
        """Write it for a table that counts seeds in a column of its own.

        Args:
            most: The seeds of its row; a cell of fewer says so.
        """
        spread = self.std if self.std is not None else self.error
        shown = "" if spread is None else f" ± {decimal(spread, 2)}"
        shown += " s.e." if spread is not None and self.std is None else ""
        shown += "" if self.alike else " (measured differently)"
        count = len(self.values)
        fewer = f" ({count} seed{'s' if count > 1 else ''})" if count < most else ""
        return f"{decimal(self.mean, 4)}{shown}{fewer}{' *' if self.trained_on else ''}"

    def __str__(self) -> str:
        """Write it as it is shown."""
        mark = " *" if self.trained_on else ""
        if self.std is not None:
            return f"{decimal(self.mean, 4)} ± {decimal(self.std, 2)}{mark}"
        if not self.alike:
            return f"{decimal(self.mean, 4)} (measured differently){mark}"
        error = "" if self.error is None else f" ± {decimal(self.error, 2)} s.e."
        return f"{decimal(self.mean, 4)}{error} (1 seed){mark}"


def cell_of(measurements: Sequence[tuple[int, Measurement]], *, constant: bool = False) -> Cell:
    """Return the cell of a trial's measurements, each with its seed; there is at least one.

    Args:
        measurements: The seeds and what was measured.
        constant: Whether nothing was drawn or trained for it.
    """
    only = measurements[0][1].error if len(measurements) == 1 else None
    return Cell(
        tuple(m.value for _, m in measurements),
        only,
        any(m.trained_on for _, m in measurements),
        tuple(seed for seed, _ in measurements),
        len({m.key for _, m in measurements}) == 1,
        constant,
    )


def reasons_of(cells: Sequence[Cell], *, alike: bool = True) -> list[Reason]:
    """Return why nobody may be called better by some cells, the strongest reason first.

    Args:
        cells: The cells that are compared.
        alike: Whether they were measured alike, as far as that is known besides.
    """
    values = [value for cell in cells for value in cell.values]
    told: dict[Reason, bool] = {
        "measured differently": not (alike and all(cell.alike for cell in cells)),
        "trained in": any(cell.trained_on for cell in cells),
        "one seed": any(cell.few for cell in cells),
        "not finite": not all(map(isfinite, values)),
    }
    return [reason for reason, holds in told.items() if holds]


def verdict_of(better: Cell, worse: Cell, direction: Direction, *, alike: bool = True) -> Verdict:
    """Return what values say of the claim that one side is better than the other.

    Args:
        better: The side that the claim calls better.
        worse: The other.
        direction: Which values are better; `none` decides nothing.
        alike: Whether they were measured alike, as far as that is known besides.
    """
    reasons = reasons_of((better, worse), alike=alike)
    if direction == "none" or any(reason != "trained in" for reason in reasons):
        return "is not decided"
    if better.mean == worse.mean:
        return "is a tie"
    if not better.differs(worse):
        return "is within the noise"
    return "holds" if (better.mean < worse.mean) == (direction == "lower") else "does not hold"
