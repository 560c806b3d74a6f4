"""Plots: what runs logged, over their steps. Needs matplotlib."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Final

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ..errors import RunError, did_you_mean
from ..printable import printable
from .history import COUNTS, Column, History

__all__ = ["COLOURS", "DASHES", "Plot", "columns_of", "lines", "plot", "style"]

COLUMNS: Final = 90
"""Characters of a line of a title, seven inches wide."""

WIDTH: Final = 7.0
"""Inches that a plot is wide."""

COLOURS: Final = ("#3b7dd8", "#d9772b", "#2e9461", "#b455b4", "#c44e52", "#8a8a3a")
"""Colours of runs, which stand out on white and on black."""

DASHES: Final = ((), (5, 2), (1.5, 1.5), (5, 1.5, 1.5, 1.5))
"""Dashes of lines, which tell runs of one colour apart: lengths of line and gap."""

POINTS: Final = 600
"""Points of all lines of a panel: more are drawn as the smallest and the largest of each stretch."""

FEWEST: Final = 60
"""Points that a line keeps, however many lines there are."""


class Plot(Figure):
    """A matplotlib figure that a notebook shows without pyplot, and a page as SVG."""

    def _repr_png_(self) -> bytes:
        """Show it in a notebook."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()

    def svg(self, name: str) -> str:
        """Return it as an `svg` element whose black is the page's colour of text.

        Args:
            name: What its inner names begin with, so that several fit on one page.
        """
        buffer = io.StringIO()
        settings = {"svg.fonttype": "none", "svg.hashsalt": name}
        with matplotlib.rc_context(settings), warnings.catch_warnings():  # type: ignore[arg-type, unused-ignore]
            # Letters that its own font lacks are the browser's to draw.
            warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
            self.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        text = buffer.getvalue()
        text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
        text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text[text.index("<svg") :])
        text = re.sub(r' (?:width|height|xmlns(?::xlink)?)="[^"]*"', "", text, count=4)
        return text.replace("#000000", "currentColor").replace("xlink:href", "href")


def lines(text: str, letters: int) -> str:
    """Return a text in lines of so many letters; what would move the cursor is written out."""
    return "\n".join(wrap(printable(text), letters))


def style(place: int) -> tuple[str, tuple[float, ...]]:
    """Return the colour and the dashes of a line among several, by its place."""
    return COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]


def columns_of(histories: Mapping[str, History]) -> list[str]:
    """Return the columns that at least one of several histories has, but steps and images."""
    names = (name for history in histories.values() for name in history)
    return [name for name in dict.fromkeys(names) if name not in COUNTS]


def plot(
    histories: Mapping[str, History],
    names: Sequence[str] = (),
    title: str = "",
    width: float = WIDTH,
) -> Plot:
    """Draw columns of histories over the steps, one below the other; each history is a line.

    Args:
        histories: The histories, by name; `style` has the colour of each.
        names: The columns; by default all but step and images.
        title: What stands above.
        width: How wide it is, in inches.

    Raises:
        RunError: Nothing was logged, or there is no such column.
    """
    known = columns_of(histories)
    for name in names:
        if name not in known:
            near = did_you_mean(name, known)
            raise RunError(f"no column {name!r} was logged; {near}there are {', '.join(known)}")
    chosen = list(dict.fromkeys(names)) or known
    if not chosen or not any(history.rows for history in histories.values()):
        raise RunError(
            "nothing was logged, so there is nothing to plot; train with the observer metrics"
        )
    figure = Plot(figsize=(width, 1 + 1.8 * len(chosen)), layout="constrained")
    panels = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
    letters = int(COLUMNS * width / WIDTH)
    for panel, name in zip(panels, chosen, strict=True):
        for place, history in enumerate(histories.values()):
            if name in history:
                colour, dashes = style(place)
                x, y = _thinned(history["step"], history[name], POINTS // len(histories))
                panel.plot(
                    x, y, linewidth=1, color=colour, dashes=dashes, marker=".", markevery=_lone(y)
                )
        # Above its panel, where a long name has room and meets no other.
        panel.set_title(lines(name, letters), fontsize=9, loc="left", parse_math=False)
        panel.tick_params(labelsize=8)
        panel.yaxis.get_offset_text().set_fontsize(8)
        panel.yaxis.get_offset_text().set_horizontalalignment("right")
        panel.grid(linewidth=0.3)
    panels[-1].set_xlabel("step", fontsize=8)
    figure.suptitle(lines(title, letters), fontsize=9, parse_math=False)
    return figure


def _lone(y: Column) -> list[int]:
    """Return where there is a value and none beside it, so that no line shows it."""
    known = np.pad(np.isfinite(y), 1)
    return np.flatnonzero(known[1:-1] & ~known[:-2] & ~known[2:]).tolist()


def _thinned(x: Column, y: Column, points: int) -> tuple[Column, Column]:
    """Return so many points that draw the same line: of each stretch its extremes."""
    points = max(points, FEWEST)
    if len(y) <= points:
        return x, y
    kept: list[int] = []
    for part in np.array_split(np.arange(len(y)), points // 2):
        finite = part[np.isfinite(y[part])]
        ends = (
            {finite[y[finite].argmin()], finite[y[finite].argmax()]} if len(finite) else {part[0]}
        )
        kept += sorted(ends)
    return x[kept], y[kept]
