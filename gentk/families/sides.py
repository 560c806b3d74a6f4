"""The data sides of matching losses: streamed over all data and cached, or drawn afresh each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ..cache import Cache
from ..data.imageset import to_unit
from ..data.minibatches import Minibatches
from ..data.permutation import permutation
from ..data.sampler import Sampler
from ..engine import randomness
from ..engine.loop import Stateful
from ..errors import Incompatible
from ..feature_space import FeatureSpace
from ..interfaces import total
from ..statistics import CHUNK, DataSide, chunks_of, summarise_all
from ..summary import Samples, Summary
from ..transfer import to_device
from .base import Advance
from .composition import Composition

__all__ = ["Drawn", "data_sides", "floor", "prepare"]

PREPARE = 3
"""The key of the permutation that chooses images for `MatchingLoss.prepare`."""

HALVES, HALF = 4, 2500
"""The key of the permutation that halves the data for `floor`, and the most images of a half."""

HELD, KEPT = 2**30, 2**26
"""Features of all data are held in memory up to so many bytes, and cached on disk up to so many."""


@dataclass(frozen=True)
class Drawn:
    """What a loss is compared with.

    Attributes:
        first: The summary of the data, or of a first minibatch.
        fresh: Draws the minibatches of steps; None where `first` is of all data.
        state: What goes on with the same minibatches.
    """

    first: Summary
    fresh: Callable[[], Summary] | None = None
    state: Stateful | None = None


@torch.no_grad()
def prepare(c: Composition, side: DataSide, advance: Advance | None = None) -> None:
    """Show a loss the images it wants to see before anything is summarised."""
    loss, space = side.loss, side.space
    if not loss.preparation:
        return
    chosen = torch.from_numpy(permutation(len(c.images), PREPARE)[: loss.preparation].copy())
    features: dict[str, Tensor] = {}
    start = 0
    for place, chunk in zip(chosen.split(CHUNK), c.images.chunks(CHUNK, chosen), strict=True):
        part = space.of_images(to_unit(chunk.to(c.device)))
        if side.extractor is not None:
            part = space.part(part, side.extractor)
        if not features:
            # Written where they stay: of thousands of images they would not be there twice.
            features = {name: _room(value, len(chosen)) for name, value in part.items()}
        for name, value in part.items():
            features[name][start : start + len(place)] = value
        start += len(place)
        if advance is not None:
            advance("images that the loss is prepared with", start, len(chosen))
    loss.prepare(features)


def _room(value: Tensor, count: int) -> Tensor:
    """Return room for the features of `count` images, which lie in memory as those of a few do."""
    last = value.dim() == 4 and value.is_contiguous(memory_format=torch.channels_last)
    return torch.empty(
        (count, *value.shape[1:]),
        dtype=value.dtype,
        device=value.device,
        memory_format=torch.channels_last if last else torch.contiguous_format,
    )


@torch.no_grad()
def floor(c: Composition, side: DataSide) -> float:
    """Return the value of a loss between two halves of the data, of at most `HALF` images each.

    Raises:
        Incompatible: It is not above 0, so that nothing can be divided by it.
    """
    loss, classes = side.loss, c.generator.prior.classes
    half = min(HALF, len(c.images) // 2)
    order = torch.from_numpy(permutation(len(c.images), HALVES)[: 2 * half].copy())
    summaries: list[Summary] = []
    for part in order.split(half)[:2] if half else ():
        whole: Summary | None = None
        for rows, chunk in zip(part.split(CHUNK), c.images.chunks(CHUNK, part), strict=True):
            features = side.space.of_images(to_unit(chunk.to(c.device)))
            if side.extractor is not None:
                features = side.space.part(features, side.extractor)
            own = () if "labels" not in loss.needs else (_classes(c, rows, classes),)
            like = summaries[0] if summaries else whole
            like = like if isinstance(like, loss.summary) else whole
            make = loss.summarise if summaries else loss.summarise_data
            summary = make(features, like, *own)
            whole = summary if whole is None else whole + summary
        summaries.append(cast(Summary, whole))
    value = float("nan")
    if len(summaries) == 2:
        data, model = summaries
        value = float(total(loss(loss.reference(data), loss.statistics(model))))
    if not value > 0:
        raise Incompatible(
            f"two halves of the data are {value:g} apart in {side.extractor}, which nothing can be "
            "divided by; write balance=equal"
        )
    return value


def _labels(c: Composition) -> Tensor:
    """Return the class of each image, on the device."""
    return to_device(cast(Tensor, c.images.labels), c.device)


def _classes(c: Composition, rows: Tensor, classes: int) -> Tensor:
    """Return a row with a 1 at the class of each image."""
    return one_hot(cast(Tensor, c.images.labels)[rows], classes).float().to(c.device)


def data_sides(c: Composition, sides: Sequence[DataSide], advance: Advance | None) -> list[Drawn]:
    """Return the data side of each loss; features of all data are made once for all of them.

    Samples are drawn a minibatch a step: their features are made once where they fit in memory,
    otherwise step by step.
    """
    space = sides[0].space
    samples = [side for side in sides if issubclass(side.summary, Samples)]
    size = _size(c, space) if samples else 0
    held = sides if size <= HELD else [side for side in sides if side not in samples]
    labels = None
    if any("labels" in side.loss.needs for side in sides):
        labels = one_hot(cast(Tensor, c.images.labels), c.generator.prior.classes).float()

    def told(done: int) -> None:
        if advance is not None:
            advance("statistics of the data", min(done, len(c.images)), len(c.images))

    summaries = iter(
        summarise_all(
            chunks_of(c.images, device=c.device),
            space,
            held,
            count=len(c.images),
            device=c.device,
            fingerprint=c.images.fingerprint(),
            cache=Cache(),
            keep_samples=size <= KEPT,
            advance=told,
            labels=labels,
            peers=c.world,
        )
        if held
        else ()
    )
    rows = []
    for side in sides:
        whole = next(summaries) if side in held else None
        if side in samples:
            rows.append(_drawn(c, side, whole, labels))
        else:
            rows.append(Drawn(cast(Summary, whole)))
    return rows


@torch.no_grad()
def _size(c: Composition, space: FeatureSpace) -> int:
    """Return the size of the features of all data, in bytes."""
    probe = space.of_images(
        to_unit(c.images.batch(torch.arange(min(2, len(c.images)))).to(c.device))
    )
    return 4 * len(c.images) * sum(value[0].numel() for value in probe.values())


@torch.no_grad()
def _drawn(c: Composition, side: DataSide, whole: Summary | None, labels: Tensor | None) -> Drawn:
    """Return a first data side of a step, what draws the next ones, and the state of that."""
    count, seed = c.recipe.reference or c.recipe.batch, randomness.derive(c.recipe.seed, "data")
    batches = Minibatches(c.images, count, seed, device=c.device)
    first = next(Sampler(len(c.images), count, seed))
    if whole is None:

        def taken(indices: Tensor) -> Summary:
            features = side.space.of_images(batches.at(indices))
            own = None if labels is None else to_device(labels[indices], c.device)
            return side.summarise(features, None, own)

    else:
        assert isinstance(whole, Samples)
        # Labels are not kept with rows; they are those of the data.
        rows = whole if labels is None else replace(whole, labels=_labels(c))

        def taken(indices: Tensor) -> Summary:
            return rows.take(indices)

    return Drawn(taken(first), lambda: taken(next(batches.sampler)), batches)
