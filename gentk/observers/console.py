"""The console that bars are drawn on: stderr, with room for what a terminal echoes."""

from __future__ import annotations

from rich.console import Console, ConsoleDimensions

__all__ = ["BarConsole"]

ECHOED = 4
"""Columns that are left free: a terminal writes ^C behind a bar, and a line that is full would wrap."""


class BarConsole(Console):
    """Stderr, a little narrower than the terminal, so that Ctrl-C leaves one bar and not two."""

    def __init__(self) -> None:
        super().__init__(stderr=True)

    @property
    def size(self) -> ConsoleDimensions:
        """The columns and rows that are drawn in."""
        columns, rows = super().size
        return ConsoleDimensions(max(1, columns - ECHOED), rows)
