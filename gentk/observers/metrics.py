"""The log of a run: `metrics.jsonl`, one JSON object per step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from .. import journal
from ..events import Event, RunStarted, Stepped
from ..files import note
from ..interfaces import Observer

__all__ = ["MetricsFile"]

COUNTS = frozenset({"step", "images"})


class MetricsFile(Observer):
    """Appends `{"step": 1, "images": 64, "loss": 0.5, ..., "checksum": "..."}`; null if not finite.

    A run that goes on from step k keeps the rows up to k: those that a killed process logged after
    its last checkpoint are taken again. Rows that are damaged are dropped, and that is said.
    """

    def __init__(self) -> None:
        self._path = Path("metrics.jsonl")

    def observe(self, event: Event) -> None:
        """Start the file, or add the rows of an event to it."""
        if isinstance(event, RunStarted):
            self._path = event.folder / "metrics.jsonl"
            self._rewind(event.progress.steps)
        elif isinstance(event, Stepped):
            # A row that is lost is taken again from the checkpoint: no step waits for the disk.
            journal.append(self._path, map(_plain, event.rows), sync=False)

    def _rewind(self, steps: int) -> None:
        """Drop the rows after `steps`, and what cannot be read, which is told of."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not steps:
            self._path.unlink(missing_ok=True)
        try:
            kept = journal.rewrite(self._path, lambda row: row["step"] <= steps, check=_check)
        except ValueError:
            aside = self._path.with_name(f"{self._path.name}.damaged")
            self._path.replace(aside)
            note(f"{self._path} does not hold the log of a run; it is kept as {aside.name}")
            kept = []
        journal.append(self._path, (), sync=False)
        missing = steps - len({row["step"] for row in kept})
        if kept and missing:
            several = "the row of 1 step is" if missing == 1 else f"the rows of {missing} steps are"
            note(f"{several} missing in {self._path}; training goes on without")


def _plain(row: Mapping[str, float]) -> dict[str, float | None]:
    """Return a row as JSON has it."""
    return {
        name: int(value) if name in COUNTS else value if math.isfinite(value) else None
        for name, value in row.items()
    }


def _check(row: Mapping[str, object]) -> None:
    """Raise `ValueError` if a row was not written by this observer."""
    step = row["step"]
    if not isinstance(step, int) or isinstance(step, bool) or step < 1:
        raise ValueError(f"{step!r} is no step")
    if not all(v is None or isinstance(v, (int, float)) for v in row.values()):
        raise ValueError("it holds something else than numbers")
