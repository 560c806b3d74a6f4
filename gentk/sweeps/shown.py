"""Shown: the columns of a page, each one value of a metric in the features of an extractor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..evaluation.measurement import Measurement
from ..selection import Selection
from .file import JudgeTable

__all__ = ["Shown", "columns_of"]


@dataclass(frozen=True)
class Shown:
    """A column of the page: one value of a metric in an extractor's features.

    Attributes:
        metric: The metric, as typed.
        extractor: The extractor; `run` is each run's own encoder.
        value: The value's name; None for that called as the metric, or else its first.
        percent: Whether shares are shown as percentages.
        title: What it is headed by.
        judge: How it was measured, where the page has this value measured in several ways.
    """

    metric: str
    extractor: str
    value: str | None
    percent: bool
    title: str
    judge: JudgeTable | None = None

    def of(self, measurements: tuple[Measurement, ...]) -> Measurement | None:
        """Return the measurement that stands in this column, if there is one."""
        own = {m.name: m for m in measurements if self._is_of(m)}
        if self.value is not None or not own:
            return own.get(str(self.value))
        # A metric of several values is called as its first one, if any is.
        return own.get(Selection.parse(self.metric).name, next(iter(own.values())))

    def _is_of(self, measurement: Measurement) -> bool:
        """Say whether a measurement is of this metric, features and, if several are shown, way."""
        if (measurement.metric, measurement.place) != (self.metric, self.extractor):
            return False
        protocol, judge = measurement.protocol, self.judge
        if judge is None:
            return True
        images = judge.data is None or _alike(protocol.reference.name, judge.data)
        return images and protocol.samples in (0, judge.count) and protocol.seed == judge.seed


def _alike(name: str, other: str) -> bool:
    """Say whether two texts name the same data, whatever the order of their options."""
    return name == other or Selection.parse(name) == Selection.parse(other)


def columns_of(judges: Sequence[tuple[JudgeTable, tuple[str, ...]]]) -> list[Shown]:
    """Return the columns of a page: a value of each judge, with its extractors."""
    columns = []
    counts = Counter((judge.metric, one) for judge, extractors in judges for one in extractors)
    for judge, extractors in judges:
        for extractor in extractors:
            several = counts[judge.metric, extractor] > 1
            for value in judge.values or (None,):
                title = extractor if judge.metric == "fd" else f"{judge.metric} of {extractor}"
                title = f"{value or title}{f' ({_way(judge)})' if several else ''}"
                way = judge if several else None
                columns.append(Shown(judge.metric, extractor, value, judge.percent, title, way))
    return columns


def _way(judge: JudgeTable) -> str:
    """Say how a judge measures."""
    seed = f", seed {judge.seed}" if judge.seed else ""
    return f"{judge.count:,} samples, {judge.data or 'the test split'}{seed}"
