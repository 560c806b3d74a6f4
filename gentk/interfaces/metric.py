"""Metrics: two sets of images in figures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from .summary import Summary
from .values import Features

__all__ = ["Figure", "Metric"]


@dataclass(frozen=True)
class Figure:
    """One number of an evaluation.

    Attributes:
        name: What it is, such as `fd`.
        value: The number.
        error: Its standard error, or None where none is known.
        better: Whether `lower` or `higher` values are better; `none` where neither is.
    """

    name: str
    value: float
    error: float | None = None
    better: Literal["lower", "higher", "none"] = "lower"


class Metric(ABC):
    """Two sets of images -> figures, each side streamed as an additive summary of its features.

    Attributes:
        needs: As a loss's; `logits` are the features of a classifier's last layer, one vector an
            image. With `labels`, the metric judges the extractor on labelled images and not
            samples: its summaries are `Samples` with labels, and `sample` is the reference again.
        summary: The class of the summaries it makes.
        also: Further splits of the data (`train`, `validation`) whose summaries `figures` is given.
        distance: Whether its first figure is best for samples of the reference's own law, as most are;
            false where it judges samples, or the extractor, by something else.
        extractor: Where it is taken if nobody says: None for the default judge, `run` for the encoder
            of the run that is judged.
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
    def figures(self, reference: Summary, sample: Summary, **also: Summary) -> list[Figure]:
        """Compare what the two sides' summaries have seen.

        Args:
            reference: Of the data's images.
            sample: Of the images to be judged.
            also: Of the splits that the class attribute names, by their names.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return the options that decide what `summarise` keeps, for the cache."""
