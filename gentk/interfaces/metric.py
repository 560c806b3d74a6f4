"""Metrics: two sets of images compared, in numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from ..errors import Incompatible
from . import returned
from .promise import Promising, described, promises
from .summary import Summary
from .values import Features

__all__ = ["Metric", "MetricValue"]

Direction = Literal["lower", "higher", "none"]


@dataclass(frozen=True)
class MetricValue:
    """One number of an evaluation.

    Attributes:
        name: What it is, such as `fd`.
        value: The number; what is one in other words, such as a tensor of one value, becomes a float.
        error: Its standard error, or None where none is known.
        direction: Whether `lower` or `higher` values are better; `none` where neither is.

    Raises:
        Incompatible: The name is no text, a number is none, or there is no such direction.
    """

    name: str
    value: float
    error: float | None = None
    direction: Direction = "lower"

    def __post_init__(self) -> None:
        """Make floats of numbers."""
        if not isinstance(self.name, str) or not self.name:
            raise Incompatible(
                f"a metric's value is called {described(self.name)}; give MetricValue a name, such as "
                "'fd'"
            )
        if self.direction not in get_args(Direction):
            known = " or ".join(map(repr, get_args(Direction)))
            raise Incompatible(
                f"value {self.name!r} of a metric has direction={self.direction!r}; write {known}"
            )
        object.__setattr__(self, "value", self._float("value", self.value))
        if self.error is not None:
            object.__setattr__(self, "error", self._float("error", self.error))

    def _float(self, what: str, number: object) -> float:
        try:
            if isinstance(number, str | bytes):
                raise TypeError
            return float(number)  # type: ignore[arg-type]
        except (TypeError, ValueError, RuntimeError):
            raise Incompatible(
                f"value {self.name!r} of a metric has as its {what} {described(number)}; give one "
                "number, such as float(x.mean())"
            ) from None


def _figures(metric: Any, result: object, given: tuple[Any, ...]) -> tuple[str, str] | None:
    """A list of values, no two of one name."""
    wanted = 'return a list of values, such as [MetricValue("fd", 1.0)]'
    if not isinstance(result, list | tuple):
        return described(result), wanted
    if not all(isinstance(one, MetricValue) for one in result) or not result:
        return described(result) if result else "no value", wanted
    names = [one.name for one in result]
    twice = next((name for name in names if names.count(name) > 1), None)
    return None if twice is None else (f"two values {twice!r}", "give each a name of its own")


class Metric(Promising, ABC):
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

    _kind = "metric"

    needs: ClassVar[frozenset[str]] = frozenset({"features"})
    summary: ClassVar[type[Summary]]
    also: ClassVar[frozenset[str]] = frozenset()
    distance: ClassVar[bool] = True
    extractor: ClassVar[str | None] = None

    @promises(returned.summarised)
    @abstractmethod
    def summarise(self, features: Features, like: Summary | None = None) -> Summary:
        """Summarise one chunk of images, as `MatchingLoss.summarise` does."""

    @promises(_figures)
    @abstractmethod
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Compare what the two sides' summaries have seen.

        Args:
            reference: Of the data's images.
            sample: Of the images to be judged.
            also: Of the splits that the class attribute names, by their names.
        """

    @promises(returned.text)
    @abstractmethod
    def fingerprint(self) -> str:
        """Return the options that decide what `summarise` keeps, for the cache."""
