"""Plots: every label is inside the picture and lies on no other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from gentk.evaluation.measurement import Measurement, Preparation, Protocol, Reference
from gentk.runs.history import History
from gentk.runs.plot import plot
from gentk.sweeps.comparison import Entry, tabulate
from gentk.sweeps.plot import draw

LONG = (
    "loss/moments/timm:tf_efficientnet_lite0.in1k,layers=stages,first=15/covariance of the blocks"
)


def history(*names: str, scale: float = 1.0) -> dict[str, History]:
    step = np.arange(1, 300)
    columns = {"step": step, "images": 64 * step, **dict.fromkeys(names, scale * step)}
    return {"runs/a": History(columns)}


def comparison(groups: list[str], extractors: list[str]):
    """A table of two values for each extractor."""

    def measured(value: float, extractor: str, name: str) -> Measurement:
        protocol = Protocol("", 100, 0, Reference("digits", "test", 50), Preparation("a"))
        return Measurement("", "fd", extractor, name, value, 0.1, "lower", False, protocol)

    entries = [
        Entry(
            group,
            0,
            [
                measured(1000.0 * index + 1, extractor, name)
                for extractor in extractors
                for name in ("fd", "fd/extrapolated")
            ],
            group,
        )
        for index, group in enumerate(groups)
    ]
    return tabulate(entries)


def test_a_long_log_is_drawn_by_its_extremes():
    """Of 100,000 rows few points are left, with every peak; what is not finite leaves a gap."""
    step = np.arange(100_000)
    loss = np.where(step == 31_415, 7.0, 1 / (1 + step))
    loss[50_000:60_000] = np.nan
    (line,) = plot({"run": History({"step": step, "loss": loss})}).axes[0].lines
    x, y = line.get_xdata(), line.get_ydata()

    assert len(x) <= 600
    assert y[list(x).index(31_415)] == 7
    assert (y[0], y[-1]) == (1.0, loss[-1])
    assert np.isnan(y[(x > 51_000) & (x < 59_000)]).all()
    assert (np.diff(x) > 0).all()


@pytest.mark.parametrize(
    ("values", "marked"),
    [
        ([5.0], [0]),
        ([120.0, np.nan, 100.0], [0, 2]),
        ([3.0, 2.0, np.nan, 1.0], [3]),
        ([2.0, 1.0], []),
    ],
)
def test_a_value_that_no_line_reaches_is_a_point(values, marked):
    """What is measured at some steps only is seen all the same."""
    columns = {"step": np.arange(len(values)), "loss": np.array(values)}
    (line,) = plot({"run": History(columns)}).axes[0].lines

    assert line.get_marker() == "." and line.get_markevery() == marked


FIGURES = {
    "short names": lambda: plot(history("loss", "a"), (), "runs/gfmn-12345678"),
    "long names": lambda: plot(
        history("loss", "loss/tracked", LONG, f"critic/{LONG}"), (), LONG * 2
    ),
    "many panels": lambda: plot(history(*(f"loss/term {n}" for n in range(12))), (), "runs/a"),
    "small values": lambda: plot(history("loss", "b", scale=1e-9), (), "runs/a"),
    "large values": lambda: plot(history("loss", "b", scale=1e9), (), "runs/a"),
    "two runs": lambda: draw(comparison(["ama", "batch"], ["pixels"])),
    "long runs": lambda: draw(
        comparison([f"estimator={LONG}", f"loss={LONG}"], [LONG, f"b{LONG}"])
    ),
    "many runs": lambda: draw(comparison([f"run {n}" for n in range(20)], ["a", "b", "c"])),
}


def texts(figure: Figure) -> Iterator[Text]:
    """Go through the texts of a figure; labels of ticks outside the limits are never drawn."""
    yield figure._suptitle or Text()
    for panel in figure.axes:
        yield from (panel.title, panel._left_title)
        for axis in (panel.xaxis, panel.yaxis):
            yield from (axis.label, axis.get_offset_text())
            low, high = sorted(axis.get_view_interval())
            yield from (
                tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high
            )


@pytest.mark.parametrize("case", FIGURES)
def test_no_label_lies_on_another_or_is_cut_off(case):
    """By the boxes of all texts that are drawn."""
    figure: Figure = FIGURES[case]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = figure.get_size_inches() * figure.dpi
    drawn = [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for text in texts(figure)
        if text.get_visible() and text.get_text().strip()
    ]

    for text, box in drawn:
        assert box.x0 >= -2 and box.x1 <= width + 2, text
        assert box.y0 >= -2 and box.y1 <= height + 2, text
    for (first, a), (second, b) in combinations(drawn, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across < 1 or along < 1, (first, second)
