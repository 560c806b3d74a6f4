"""Metrics: two sets of images compared, in numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from .summary import Summary
from .values import Features

__all__ = ["Metric", "MetricValue"]


@dataclass(frozen=True)
class MetricValue:
    """One number of an evaluation.

    Attributes:
        name: What it is, such as `fd`.
        value: The number.
        error: Its standard error, or None where none is known.
        direction: Whether `lower` or `higher` values are better; `none` where neither is.
    """

    name: str
    value: float
    error: float | None = None
    direction: Literal["lower", "higher", "none"] = "lower"


class Metric(ABC):
    """Two sets of images -> values, each side streamed as an additive summary of its features.

    Attributes:
        needs: `features`; or `logits`, the features of a classifier's last layer, one vector an
            image; and `labels` of the images. With `labels`, the metric judges the extractor on
            labelled images and not samples: its summaries are `Samples` with labels, and `sample` is
            the reference again.
        summary: The class of the summaries it makes.
        also: Further splits of the data (`train`, `validation`) whose summaries `values` is given.
        distance: Whether its first value is best for samples of the reference's own distribution, as
            most are; false where it judges samples, or the extractor, by something else.
        extractor: Where it is taken if nobody says: None for the default judge, `run` for the encoder
            of the run that is judged, `critic` for its critic.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"features"})
    summary: ClassVar[type[Summary]]
    also: ClassVar[frozenset[str]] = frozenset()
    distance: ClassVar[bool] = True
    extractor: ClassVar[str | None] = None

    @abstractmethod
    def summarise(self, features: Features, like: Summary | None = None) -> Summary:
        """Summarise one chunk of images, as `MatchingLoss.summarise` does."""

    @abstractmethod
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Compare what the two sides' summaries have seen.

        Args:
            reference: Of the data's images.
            sample: Of the images to be judged.
            also: Of the splits that the class attribute names, by their names.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return the options that decide what `summarise` keeps, for the cache."""
