"""Statistics of data: one pass over the images, chunk by chunk, into one summary."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .cache import Cache
from .data.imageset import ImageSet, to_unit
from .errors import DataError
from .feature_space import FeatureSpace
from .interfaces import Features, MatchingLoss
from .summary import Samples, Summary

__all__ = ["DataSide", "Summarises", "summarise_all", "summarise_images", "summarise_stream"]

CHUNK = 64
"""Images per chunk of a pass over the data, whatever the batch, so that results do not depend on it."""


class Summarises(Protocol):
    """Whoever summarises features: a matching loss or a metric."""

    @property
    def summary(self) -> type[Summary]:
        """The class of what it makes."""
        ...

    def summarise(self, features: Features, like: Summary | None = None) -> Summary:
        """Summarise one chunk."""
        ...

    def fingerprint(self) -> str:
        """Return the options that decide what is kept."""
        ...


@dataclass(frozen=True)
class DataSide:
    """How a matching loss summarises the data.

    Attributes:
        loss: The loss.
        space: Whose layers features are of.
        extractor: Whose features it sees; None for those of all.
        classes: How many classes samples are of, where the loss goes by them.
    """

    loss: MatchingLoss
    space: FeatureSpace
    extractor: str | None = None
    classes: int = 0

    @property
    def summary(self) -> type[Summary]:
        """The class of what it makes."""
        return self.loss.data_summary

    def summarise(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Summary:
        """Summarise one chunk; labels are handed on to losses that need them."""
        if self.extractor is not None:
            features = self.space.part(features, self.extractor)
        if "labels" in self.loss.needs:
            return self.loss.summarise_data(features, like, labels)
        return self.loss.summarise_data(features, like)

    def fingerprint(self) -> str:
        """Return the options that decide what is kept."""
        own = self.loss.fingerprint()
        own += f" in {self.classes} classes" if "labels" in self.loss.needs else ""
        return own if self.extractor is None else f"{own} of {self.extractor}"


def summarise_images(
    images: ImageSet,
    space: FeatureSpace,
    judge: Summarises,
    *,
    device: torch.device,
    cache: Cache | None = None,
    advance: Callable[[int], None] | None = None,
) -> Summary:
    """Summarise a data set in a feature space, from the cache where it has been done before.

    Args:
        images: The data.
        space: Where features are taken.
        judge: The loss or metric whose summary is wanted.
        device: Where to compute.
        cache: Where to look and keep; None computes always.
        advance: Called with the number of images done.
    """

    def compute() -> Summary:
        units = (to_unit(chunk.to(device)) for chunk in images.chunks(CHUNK))
        return summarise_stream(units, space, judge, advance)

    if cache is None:
        return compute()
    key = [images.fingerprint(), space.fingerprint(), judge.fingerprint()]
    return cache.fetch(key, judge.summary, compute).to(device)


def summarise_all(
    stream: Callable[[], Iterator[Tensor]],
    space: FeatureSpace,
    judges: Sequence[Summarises],
    *,
    device: torch.device,
    fingerprint: str | None = None,
    cache: Cache | None = None,
    keep_samples: bool = False,
    advance: Callable[[int], None] | None = None,
    labels: Tensor | None = None,
) -> list[Summary]:
    """Summarise images for several judges, whose features are made once for all of them.

    Judges that keep the same of the same features (one class of summaries, one fingerprint) are given
    the same summary. Sums are looked up in the cache and kept there; samples are as large as images, and
    kept only if so asked.

    Args:
        stream: Returns the images, chunks of (N, C, H, W) in [0, 1], from the first one on.
        space: Where features are taken.
        judges: The losses or metrics whose summaries are wanted.
        device: Where to compute.
        fingerprint: A digest of the images; None if they are not worth keeping anything of.
        cache: Where to look and keep; None computes always.
        keep_samples: Keep samples too.
        advance: Called with the number of images done.
        labels: (N, classes), a 1 at each image's class, for data sides of losses that need them.
    """
    keys = [(judge.summary.__name__, judge.fingerprint()) for judge in judges]
    waiting = dict(zip(keys, judges, strict=True))
    summaries: dict[tuple[str, str], Summary] = {}

    def compute(key: tuple[str, str]) -> Summary:
        if key not in summaries:
            chunks = (chunk.to(device) for chunk in stream())
            fresh = _summarise(chunks, space, list(waiting.values()), advance, labels)
            summaries.update(zip(waiting, fresh, strict=True))
        return summaries[key]

    # Those that may be kept come first: what is found is not computed for the sake of the others.
    order = sorted(waiting, key=lambda key: issubclass(waiting[key].summary, Samples))
    done: dict[tuple[str, str], Summary] = {}
    for key in order:
        judge = waiting[key]
        passing = issubclass(judge.summary, Samples) and not keep_samples
        if cache is None or fingerprint is None or passing:
            done[key] = compute(key)
        else:
            place = [fingerprint, space.fingerprint(), judge.fingerprint()]
            make = functools.partial(compute, key)
            done[key] = cache.fetch(place, judge.summary, make).to(device)
        waiting.pop(key)
    return [done[key] for key in keys]


def summarise_stream(
    units: Iterator[Tensor],
    space: FeatureSpace,
    judge: Summarises,
    advance: Callable[[int], None] | None = None,
) -> Summary:
    """Summarise a stream of image chunks, (N, C, H, W) in [0, 1]; settled about its own pivot."""
    return _summarise(units, space, [judge], advance)[0]


@torch.no_grad()
def _summarise(
    units: Iterator[Tensor],
    space: FeatureSpace,
    judges: Sequence[Summarises],
    advance: Callable[[int], None] | None = None,
    labels: Tensor | None = None,
) -> list[Summary]:
    """Summarise a stream for several judges.

    Summaries that grow (samples) are added up in pairs, pairs of pairs and so on, so that they are
    copied log(n) times, not n.
    """
    firsts: list[Summary] = []
    parts: list[list[Summary]] = [[] for _ in judges]
    done = chunks = 0
    for chunk in units:
        features = space.of_images(chunk)
        like: Sequence[Summary | None] = firsts or [None] * len(judges)
        rows = None if labels is None else labels[done : done + len(chunk)].to(chunk.device)
        own = [
            judge.summarise(features, a, rows)
            if isinstance(judge, DataSide)
            else judge.summarise(features, a)
            for judge, a in zip(judges, like, strict=True)
        ]
        firsts = firsts or own
        done, chunks = done + own[0].count, chunks + 1
        for row, part in zip(parts, own, strict=True):
            row.append(part)
            pairs = (chunks & -chunks).bit_length() - 1 if part.grows else len(row) - 1
            for _ in range(pairs):
                right = row.pop()
                row[-1] = row[-1] + right
        if advance is not None:
            advance(done)
    if not chunks:
        raise DataError("there are no images to summarise; type -n 5000, or name other data")
    return [functools.reduce(operator.add, row).settled() for row in parts]
