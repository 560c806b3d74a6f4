"""Quoting: rows that another sweep file has made, found by what decides them or by their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..evaluation.plan import Plan
from .trial import Source, Trial

__all__ = ["Other", "named", "quoted"]


@dataclass(frozen=True)
class Other:
    """Another sweep file.

    Attributes:
        file: The file.
        rows: Its rows.
        trials: Its trials.
        tries: Its candidate settings.
    """

    file: Path
    rows: Path
    trials: Sequence[Trial]
    tries: Sequence[Trial]

    def sourced(self, theirs: Trial) -> Source:
        """Return where the row of one of its trials is: there, or where it is quoted from itself."""
        return theirs.source or Source(self.file, self.rows, theirs.key)


def quoted(trial: Trial, others: Sequence[Other]) -> Trial:
    """Return a trial with the place of its row, if another file has made it and judged it so."""
    if trial.refused is not None:
        return trial
    for other in others:
        for theirs in (*other.trials, *other.tries):
            covered = all(any(_covers(q, p) for q in theirs.plans) for p in trial.plans)
            if theirs.refused is None and theirs.parts == trial.parts and covered:
                return replace(trial, source=other.sourced(theirs))
    return trial


def named(name: str, other: Other) -> Iterator[Trial]:
    """Yield the trials of a row of another file as they are there, however they were judged."""
    for theirs in other.trials:
        if theirs.name == name:
            yield replace(theirs, source=other.sourced(theirs))


def _covers(theirs: Plan, mine: Plan) -> bool:
    """Say whether one plan asks for all that another asks for."""
    same = (theirs.data, theirs.count, theirs.seed) == (mine.data, mine.count, mine.seed)
    all_of = set(theirs.metrics) >= set(mine.metrics) and theirs.ratio >= mine.ratio
    return same and all_of and set(theirs.extractors) >= set(mine.extractors)
