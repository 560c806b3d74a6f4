"""Plots of comparisons: means and deviations over seeds. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

from ..runs.plot import COLOURS, Plot, lines
from .comparison import Column, Comparison

__all__ = ["draw"]


def draw(comparison: Comparison, columns: Sequence[Column] = (), letters: int = 60) -> Plot:
    """Draw means and deviations, a panel a column.

    Args:
        comparison: The comparison.
        columns: The columns; by default all.
        letters: How many letters of a name stand in a line.
    """
    chosen = list(columns) or comparison.columns
    groups = list(comparison.groups)
    names = [lines(group, letters) for group in groups]
    longest = max(len(line) for name in names for line in name.split("\n"))
    height = sum(1 + name.count("\n") for name in names)
    size = (3.2 * len(chosen) + 0.08 * longest + 1, 0.4 * height + 1.8)
    figure = Plot(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for panel, column in zip(panels, chosen, strict=True):
        for place, group in enumerate(groups):
            cell = comparison.cells.get((group, column))
            if cell is not None:
                spread = cell.std or cell.error or 0.0
                panel.errorbar(cell.mean, place, xerr=spread, fmt="o", color=COLOURS[0], capsize=3)
                panel.plot(cell.values, [place] * len(cell.values), "|", color="#888888")
        panel.set_title(lines(column.heading, 32), fontsize=9, parse_math=False)
        panel.set_xlabel(lines(column.place, 44), fontsize=7, parse_math=False)
        panel.locator_params(axis="x", nbins=4)
        panel.tick_params(axis="x", labelsize=8)
        panel.grid(axis="x", linewidth=0.3)
    panels[0].set_yticks(range(len(groups)), names, fontsize=8, parse_math=False)
    panels[0].invert_yaxis()
    return figure
