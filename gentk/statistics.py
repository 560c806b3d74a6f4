"""Statistics of data: one pass over the images, chunk by chunk, into one summary."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from .cache import Cache
from .code import code_of
from .data.imageset import ImageSet, to_unit
from .errors import DataError
from .feature_space import FeatureSpace
from .interfaces import Features, MatchingLoss
from .summary import Samples, Summary
from .summary.packed import Form, pack, unpack

__all__ = [
    "Chunks",
    "DataSide",
    "Peers",
    "Summarises",
    "chunks_of",
    "summarise_all",
    "summarise_images",
    "summarise_stream",
]

T = TypeVar("T")

CHUNK = 64
"""Images per chunk of a pass over the data, whatever the batch, so that results do not depend on it."""


SUMMARISING = ("summarise", "summarise_data", "summary", "data_summary", "prepare")
"""Methods of losses and metrics whose code decides what is kept."""

EMPTY = "there are no images to summarise; type -n 5000, or name other data"

Chunks = Callable[[slice], Iterator[Tensor]]
"""Returns the chunks of a slice of them, each `CHUNK` images (N, C, H, W) in [0, 1] but for the last."""


def chunks_of(
    images: ImageSet, chosen: Tensor | None = None, device: torch.device | None = None
) -> Chunks:
    """Return the chunks of a set of images.

    Args:
        images: The set.
        chosen: Indices of those that are wanted, (n,) int64, in order; None for all.
        device: Where they are wanted; the CPU without it.
    """
    order = torch.arange(len(images)) if chosen is None else chosen

    def units(part: slice) -> Iterator[Tensor]:
        rows = order[
            slice(*(end if end is None else end * CHUNK for end in (part.start, part.stop)))
        ]
        chunks = images.chunks(CHUNK, rows)
        return (to_unit(chunk if device is None else chunk.to(device)) for chunk in chunks)

    return units


class Peers(Protocol):
    """The processes that share a pass over the data, of which this is one (`gentk.engine.World`)."""

    @property
    def rank(self) -> int:
        """The number of this one; 0 reads and writes the cache."""
        ...

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def tell(self, value: T) -> list[T]:
        """Return what each has to say, by rank."""
        ...

    def share(self, value: T) -> T:
        """Return what rank 0 has to say."""
        ...

    def gather(self, rows: Tensor, counts: Sequence[int]) -> list[Tensor]:
        """Return the rows of each, of which there are so many."""
        ...


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
        units = chunks_of(images, device=device)(slice(None))
        return summarise_stream(units, space, judge, advance)

    if cache is None:
        return compute()
    key = [images.fingerprint(), _features(space), _kept(judge)]
    return cache.fetch(key, judge.summary, compute).to(device)


def summarise_all(
    stream: Chunks,
    space: FeatureSpace,
    judges: Sequence[Summarises],
    *,
    count: int,
    device: torch.device,
    fingerprint: str | None = None,
    cache: Cache | None = None,
    keep_samples: bool = False,
    advance: Callable[[int], None] | None = None,
    labels: Tensor | None = None,
    peers: Peers | None = None,
) -> list[Summary]:
    """Summarise images for several judges, whose features are made once for all of them.

    Judges that keep the same of the same features (one class of summaries, one fingerprint, and one
    code, if it is a third party's) are given the same summary. Sums are looked up in the cache and kept
    there; samples are as large as images, and kept only if so asked. Of several processes each
    summarises a part of the chunks, about the pivot of the first one; all get the total, and one cache
    is read and written, that of rank 0.

    Args:
        stream: Returns the images.
        space: Where features are taken.
        judges: The losses or metrics whose summaries are wanted.
        count: How many images there are.
        device: Where to compute.
        fingerprint: A digest of the images; None if they are not worth keeping anything of.
        cache: Where to look and keep; None computes always.
        keep_samples: Keep samples too.
        advance: Called with the number of images done.
        labels: (N, classes), a 1 at each image's class, for data sides of losses that need them.
        peers: The processes; None for this one alone.
    """
    keys = [(judge.summary.__name__, _kept(judge)) for judge in judges]
    waiting = dict(zip(keys, judges, strict=True))
    summaries: dict[tuple[str, str], Summary] = {}
    others = peers if peers is not None and peers.size > 1 else None

    def compute(key: tuple[str, str]) -> Summary:
        if key not in summaries:
            pass_ = _Pass(stream, space, list(waiting.values()), device, advance, labels)
            fresh = pass_.alone() if others is None else pass_.shared(others, count)
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
            place = [fingerprint, _features(space), key[1]]
            make = functools.partial(compute, key)
            done[key] = _fetched(cache, place, judge.summary, make, others).to(device)
        waiting.pop(key)
    return [done[key] for key in keys]


def _features(space: FeatureSpace) -> str:
    """Return what tells features from others: their fingerprint, and a third party's code."""
    return space.fingerprint() + "".join(code_of(extractor) for extractor in space.extractors)


def _kept(judge: Summarises) -> str:
    """Return what tells what is kept from other things: the options, and a third party's code."""
    subject = judge.loss if isinstance(judge, DataSide) else judge
    return judge.fingerprint() + code_of(subject, SUMMARISING)


def summarise_stream(
    units: Iterator[Tensor],
    space: FeatureSpace,
    judge: Summarises,
    advance: Callable[[int], None] | None = None,
) -> Summary:
    """Summarise a stream of image chunks, (N, C, H, W) in [0, 1]; settled about its own pivot."""
    return _Pass(lambda part: units, space, [judge], None, advance, None).alone()[0]


@dataclass(frozen=True)
class _Pass:
    """A pass over images for several judges."""

    stream: Chunks
    space: FeatureSpace
    judges: Sequence[Summarises]
    device: torch.device | None
    advance: Callable[[int], None] | None
    labels: Tensor | None

    def alone(self) -> list[Summary]:
        """Return the summaries of all images; settled."""
        rows = self._summed(self.stream(slice(None)), 0)
        if not rows:
            raise DataError(EMPTY)
        return [row.settled() for row in rows]

    def shared(self, peers: Peers, count: int) -> list[Summary]:
        """Return the summaries of all images, of which this process goes through a part; settled.

        Parts are neighbouring chunks, in the order of ranks, so that what is concatenated is in the
        order of the images.
        """
        if not count:
            raise DataError(EMPTY)
        chunks = -(-count // CHUNK)
        start, stop = (chunks * rank // peers.size for rank in (peers.rank, peers.rank + 1))
        first = self._first() if start and start < stop else None
        rows = self._summed(self.stream(slice(start, stop)), start, first, peers.size)
        parts: Sequence[Summary | None] = rows or [None] * len(self.judges)
        kinds = [judge.summary for judge in self.judges]
        totals = [_total(peers, part, kind) for part, kind in zip(parts, kinds, strict=True)]
        return [total.settled().to(self.device or torch.device("cpu")) for total in totals]

    @torch.no_grad()
    def _first(self) -> list[Summary]:
        """Return the summaries of the first chunk, whose pivots all processes take."""
        chunk = next(self.stream(slice(0, 1)))
        return self._of(chunk, [None] * len(self.judges), 0)

    @torch.no_grad()
    def _summed(
        self,
        units: Iterator[Tensor],
        start: int,
        first: list[Summary] | None = None,
        size: int = 1,
    ) -> list[Summary]:
        """Return the sum over chunks for each judge; empty without chunks.

        Summaries that grow (samples) are added up in pairs, pairs of pairs and so on, so that they are
        copied log(n) times, not n.

        Args:
            units: The chunks.
            start: The number of the first of them.
            first: Summaries whose pivots are taken; by default those of the first chunk.
            size: How many processes tell by this one how far they are.
        """
        firsts: list[Summary] = first or []
        parts: list[list[Summary]] = [[] for _ in self.judges]
        done = chunks = 0
        for chunk in units:
            own = self._of(chunk, firsts or [None] * len(self.judges), start * CHUNK + done)
            firsts = firsts or own
            done, chunks = done + own[0].count, chunks + 1
            for row, part in zip(parts, own, strict=True):
                row.append(part)
                pairs = (chunks & -chunks).bit_length() - 1 if part.grows else len(row) - 1
                for _ in range(pairs):
                    right = row.pop()
                    row[-1] = row[-1] + right
            if self.advance is not None:
                self.advance(done * size)
        return [functools.reduce(operator.add, row) for row in parts] if chunks else []

    def _of(self, chunk: Tensor, likes: Sequence[Summary | None], start: int) -> list[Summary]:
        """Return the summaries of a chunk whose first image is number `start`."""
        chunk = chunk if self.device is None else chunk.to(self.device)
        features = self.space.of_images(chunk)
        rows = None
        if self.labels is not None:
            rows = self.labels[start : start + len(chunk)].to(chunk.device)
        return [
            judge.summarise(features, like, rows)
            if isinstance(judge, DataSide)
            else judge.summarise(features, like)
            for judge, like in zip(self.judges, likes, strict=True)
        ]


def _fetched(
    cache: Cache,
    place: Sequence[str],
    kind: type[Summary],
    make: Callable[[], Summary],
    peers: Peers | None,
) -> Summary:
    """Return what the cache of rank 0 has, or what all make together and rank 0 keeps."""
    if peers is None:
        return cache.fetch(place, kind, make)
    kept = cache.find(place, kind) if peers.rank == 0 else None
    if peers.share(kept is not None):
        return _total(peers, kept, kind)
    fresh = make()
    if peers.rank == 0:
        cache.keep(place, fresh)
    return fresh


def _total(peers: Peers, own: Summary | None, kind: type[Summary]) -> Summary:
    """Return the sum of what the processes have, on the CPU, in the order of ranks.

    Those with nothing give None; one of them has something.
    """
    form, flat = (None, torch.empty(0, dtype=torch.uint8)) if own is None else pack(0, own)
    forms: list[Form | None] = peers.tell(form)
    flats = peers.gather(flat, [0 if each is None else each.size for each in forms])
    parts = [unpack(kind, f, x) for f, x in zip(forms, flats, strict=True) if f is not None]
    return functools.reduce(operator.add, parts)
