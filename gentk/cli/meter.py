"""The meter: counts of long passes over images, on stderr."""

from __future__ import annotations

import sys
from typing import Any

import click

__all__ = ["Meter"]


class Meter:
    """A bar per pass on a terminal, a line per quarter of a pass elsewhere, nothing if quiet.

    Nothing is shown before the first count, so that a pass found in the cache leaves no trace.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._told: dict[str, int] = {}
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Meter:
        """Begin; nothing is shown yet."""
        return self

    def __exit__(self, *reason: object) -> None:
        """Take the bars away, also after an error."""
        self.close()

    def close(self) -> None:
        """Take the bars away: others want to write."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._tasks.clear()

    def advance(self, label: str, done: int, total: int) -> None:
        """Show that `done` of `total` images of a pass are done."""
        if self._quiet:
            return
        if sys.stderr.isatty():
            self._draw(label, done, total)
            return
        quarter = 4 * done // max(total, 1)
        if quarter > self._told.get(label, 0):
            click.echo(f"{label}: {done:,}/{total:,} images", err=True)
        self._told[label] = quarter

    def _draw(self, label: str, done: int, total: int) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
        if label not in self._tasks:
            self._tasks[label] = self._bar.add_task(label, total=total)
        self._bar.update(self._tasks[label], completed=done)
