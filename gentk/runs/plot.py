"""Plots: what a run logged, over its steps. Needs matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from textwrap import wrap

from matplotlib.figure import Figure

from ..errors import RunError, did_you_mean
from .history import COUNTS, History

__all__ = ["Plot", "plot"]

COLUMNS = 90
"""Characters of a line of a title."""


class Plot(Figure):
    """A matplotlib figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        """Show it in a notebook."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def plot(history: History, names: Sequence[str] = (), title: str = "") -> Plot:
    """Draw columns of a history over the steps, one below the other.

    Args:
        history: The history.
        names: The columns; by default all but step and images.
        title: What stands above.

    Raises:
        RunError: Nothing was logged, or there is no such column.
    """
    known = [name for name in history if name not in COUNTS]
    for name in names:
        if name not in known:
            near = did_you_mean(name, known)
            raise RunError(f"no column {name!r} was logged; {near}there are {', '.join(known)}")
    chosen = list(dict.fromkeys(names)) or known
    if not history.rows or not chosen:
        raise RunError(
            "nothing was logged, so there is nothing to plot; train with the observer metrics"
        )
    figure = Plot(figsize=(7, 1 + 1.8 * len(chosen)), layout="constrained")
    panels = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
    for panel, name in zip(panels, chosen, strict=True):
        panel.plot(history["step"], history[name], linewidth=1, color="#1f4e79")
        # Above its panel, where a long name has room and meets no other.
        panel.set_title("\n".join(wrap(name, COLUMNS)), fontsize=8, loc="left")
        panel.yaxis.get_offset_text().set_horizontalalignment("right")
        panel.grid(linewidth=0.3)
    panels[-1].set_xlabel("step")
    figure.suptitle("\n".join(wrap(title, COLUMNS)), fontsize=9)
    return figure
