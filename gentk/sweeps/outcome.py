"""Outcomes: what came of a sweep, its rows and their comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..markup import caption, listing, page
from .comparison import Comparison, Entry, tabulate
from .row import Row, read_rows
from .trial import Sweep

__all__ = ["SweepOutcome", "outcome_of"]


@dataclass(frozen=True)
class SweepOutcome:
    """What came of a sweep: a row for each trial, and the table of them all.

    Attributes:
        folder: The folder of its runs.
        rows: What came of each trial, in the order of the trials; `row.folder` is its run's.
        comparison: Mean and standard deviation over seeds, verdicts; without columns if no trial has a
            value yet.
        failed: The rows that have no values, since `row.failed` happened.
        refused: What does not fit -> why.
        claims: What the claims of a sweep file came to, a sentence each.
        notes: What people should know of it, a sentence each.
    """

    folder: Path
    rows: tuple[Row, ...]
    comparison: Comparison
    refused: dict[str, str]
    claims: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Row, ...]:
        """The rows of trials that failed."""
        return tuple(row for row in self.rows if row.failed is not None)

    def _exceptions(self) -> list[str]:
        """Return what failed and what does not fit, a line each."""
        failed = [f"failed: {row.name}, seed {row.seed}: {row.failed}" for row in self.failed]
        return [*failed, *(f"refused: {name}: {why}" for name, why in self.refused.items())]

    def __repr__(self) -> str:
        """Return how many trials there are and where, in one line."""
        judged, failed = len(self.rows) - len(self.failed), len(self.failed)
        counts = [f"{judged} judged", *([f"{failed} failed"] if failed else [])]
        counts += [f"{len(self.refused)} refused"] if self.refused else []
        return f"<SweepOutcome of {str(self.folder)!r}: {', '.join(counts)}>"

    def __str__(self) -> str:
        """Write it as Markdown."""
        table = [str(self.comparison)] if self.comparison.columns else []
        lines = "\n".join(f"- {line}" for line in [*self.claims, *self._exceptions()])
        return "\n\n".join([*table, *([lines] if lines else [])]) or repr(self)

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        lines = [*self.claims, *self._exceptions(), *self.notes]
        return page(caption(repr(self)), self.comparison._repr_html_(), listing(lines))


def outcome_of(
    sweep: Sweep, *, claims: Sequence[str] = (), notes: Sequence[str] = ()
) -> SweepOutcome:
    """Return what has come of a sweep by now."""
    told: list[str] = []
    read_rows(sweep.rows, told.append)
    settled = sweep.settled()
    entries = [
        Entry(trial.name, trial.seed, row.measurements, row.folder or "", trial.given is not None)
        for trial, row in settled.items()
        if row.failed is None
    ]
    failed: dict[str, list[int]] = {}
    for trial, row in settled.items():
        if row.failed is not None:
            failed.setdefault(trial.name, []).append(trial.seed)
    # A sweep over data has no reference that is common to all of its runs.
    comparison = tabulate(entries, mixed=True, notes=told, failed=failed)
    # Names and seeds are those of today: a row may have been made under others.
    rows = tuple(replace(row, name=trial.name, seed=trial.seed) for trial, row in settled.items())
    refused = {trial.name: trial.refused for trial in sweep.trials if trial.refused is not None}
    return SweepOutcome(sweep.out, rows, comparison, refused, tuple(claims), tuple(notes))
