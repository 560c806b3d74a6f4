"""Lines: the values of a run over its steps, one for each way of measuring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..evaluation.measurement import Measurement, labels_of
from ..evaluation.record import read
from ..runs.history import History
from ..runs.trained import Run

__all__ = ["lines_of"]


def lines_of(run: Run) -> History:
    """Return the values of a run that was evaluated while it trained; else no rows."""
    rows = read(run.folder.path)
    steps = sorted({row.steps for row in rows})
    if len(steps) < 2:
        return History({})
    # Values of another count of samples are another line: the observer takes fewer than the command.
    lines: dict[str, dict[int, Measurement]] = {}
    for row in rows:
        lines.setdefault(row.measurement.key, {})[row.steps] = row.measurement
    several = [found for found in lines.values() if len(found) > 1]
    table = {
        name: np.array(
            [found[step].value if step in found else np.nan for step in steps], np.float64
        )
        for name, found in zip(_columns([min(f.items())[1] for f in several]), several, strict=True)
    }
    return History({"step": np.array(steps, np.int64), **table} if table else {})


def _columns(measurements: Sequence[Measurement]) -> list[str]:
    """Return what lines of values are called: with what they were measured by where that differs."""
    names = [f"{one.name} in {one.place}" for one in measurements]
    for name, count in Counter(names).items():
        places = [place for place, own in enumerate(names) if own == name]
        if count > 1:
            alike = [measurements[place] for place in places]
            for place, one, label in zip(places, alike, labels_of(alike), strict=True):
                metric = "" if len({own.metric for own in alike}) == 1 else f" ({one.metric})"
                names[place] = f"{name}{metric}" + (f", {label}" if label else "")
    return names
