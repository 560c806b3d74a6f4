"""The log of a run: `metrics.jsonl`, one JSON object per step."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

from ..events import Event, RunStarted, Stepped
from ..interfaces import Observer

__all__ = ["MetricsFile"]

COUNTS = frozenset({"step", "images"})


class MetricsFile(Observer):
    """Appends `{"step": 1, "images": 64, "loss": 0.5, ...}`; what is not finite is null.

    A run that goes on from step k keeps the rows up to k: those that a killed process logged after
    its last checkpoint are taken again.
    """

    def __init__(self) -> None:
        self._path = Path("metrics.jsonl")

    def observe(self, event: Event) -> None:
        """Start the file, or add the rows of an event to it."""
        if isinstance(event, RunStarted):
            self._path = event.folder / "metrics.jsonl"
            self._rewind(event.progress.steps)
        elif isinstance(event, Stepped):
            text = "".join(f"{_line(row)}\n" for row in event.rows)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)

    def _rewind(self, steps: int) -> None:
        """Drop the rows after `steps`, and one that was cut off in the middle."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        old = self._path.read_text(encoding="utf-8") if steps and self._path.exists() else ""
        part = self._path.with_suffix(".part")
        kept = [f"{line}\n" for line in old.splitlines() if _step(line) <= steps]
        part.write_text("".join(kept), encoding="utf-8")
        os.replace(part, self._path)


def _line(row: dict[str, float]) -> str:
    return json.dumps(
        {
            name: int(value) if name in COUNTS else value if math.isfinite(value) else None
            for name, value in row.items()
        }
    )


def _step(line: str) -> float:
    """Return the step of a logged line; infinity if it is no whole row."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
