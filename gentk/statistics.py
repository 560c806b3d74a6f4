"""Statistics of data: one pass over the images, chunk by chunk, into one summary."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from .cache import Cache
from .data.imageset import ImageSet, to_unit
from .errors import DataError
from .feature_space import FeatureSpace
from .interfaces import Features
from .summary import Summary

__all__ = ["Summarises", "summarise_images", "summarise_stream"]

CHUNK = 64
"""Images per chunk of a pass over the data, whatever the batch, so that results do not depend on it."""


class Summarises(Protocol):
    """Whoever summarises features: a matching loss or a metric."""

    summary: ClassVar[type[Summary]]

    def summarise(self, features: Features, like: Summary | None = None) -> Summary:
        """Summarise one chunk."""
        ...

    def fingerprint(self) -> str:
        """Return the options that decide what is kept."""
        ...


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


@torch.no_grad()
def summarise_stream(
    units: Iterator[Tensor],
    space: FeatureSpace,
    judge: Summarises,
    advance: Callable[[int], None] | None = None,
) -> Summary:
    """Summarise a stream of image chunks, (N, C, H, W) in [0, 1]; settled about its own pivot.

    Parts are added up in pairs, pairs of pairs and so on, so that summaries that grow (samples) are
    copied log(n) times, not n.
    """
    first: Summary | None = None
    parts: list[Summary] = []
    done = chunks = 0
    for chunk in units:
        parts.append(judge.summarise(space.of_images(chunk), first))
        first = first or parts[0]
        done, chunks = done + parts[-1].count, chunks + 1
        for _ in range((chunks & -chunks).bit_length() - 1):
            right = parts.pop()
            parts[-1] = parts[-1] + right
        if advance is not None:
            advance(done)
    if not parts:
        raise DataError("there are no images to summarise; type -n 5000, or name other data")
    return functools.reduce(operator.add, parts).settled()
