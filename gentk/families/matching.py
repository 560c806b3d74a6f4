"""Matching runs: a generator whose samples' statistics are brought to those of the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, cast

import torch
from torch import Tensor

from ..cache import Cache
from ..data.imageset import to_unit
from ..data.minibatches import Minibatches
from ..data.permutation import permutation
from ..data.sampler import Sampler
from ..engine import Matching, Phase, randomness
from ..engine.loop import Stateful
from ..errors import DataError, GentkError, Incompatible
from ..interfaces import Estimator, Loss, MatchingLoss
from ..recipe import Recipe
from ..registry import Registry
from ..statistics import CHUNK, summarise_images
from ..summary import Samples, Summary
from .base import Advance, Family, Program, samples
from .composition import Composition

__all__ = ["MatchingFamily"]

PREPARE = 3
"""The key of the permutation that chooses images for `MatchingLoss.prepare`."""

HELD, KEPT = 2**30, 2**26
"""Features of all data are held in memory up to so many bytes, and cached on disk up to so many."""


class MatchingFamily(Family):
    """G(z) -> phi -> Summary -> statistics -> estimator -> loss."""

    loss: ClassVar[type[Loss]] = MatchingLoss
    uses = frozenset({"extractor", "estimator", "reference"})
    phases: ClassVar[dict[str, tuple[str, ...]]] = {"generator": ("generator",)}

    def check(self, r: Recipe, loss: Loss, registry: Registry) -> None:
        """Refuse a loss and an estimator that do not fit."""
        assert isinstance(loss, MatchingLoss)
        estimator = cast(Estimator, registry.build("estimator", r.estimator)[0])
        for name, kind in loss.kinds().items():
            if kind not in estimator.accepts:
                fitting = _fitting(kind, registry)
                raise Incompatible(
                    f"estimator {r.estimator!r} cannot track the statistic {name!r} ({kind}) of "
                    f"loss {r.loss!r}; type --estimator {' or '.join(fitting)}"
                )

    def looks_at(self, loss: Loss) -> frozenset[str]:
        """Return what is looked at: `reference` is of losses that compare samples."""
        assert isinstance(loss, MatchingLoss)
        return self.uses if "samples" in loss.kinds().values() else self.uses - {"reference"}

    def program(self, c: Composition, advance: Advance | None) -> Program:
        """Summarise the data and start the estimator."""
        r = c.recipe
        assert c.space is not None and c.estimator is not None
        assert isinstance(c.loss, MatchingLoss)
        _prepare(c, c.loss)
        state: dict[str, Stateful] = {"estimator": c.estimator}
        fresh = None
        if "samples" in c.loss.kinds().values():
            data, fresh, state["data"] = _drawn(c, c.loss, advance)
        else:
            data = _all(c, c.loss, advance, Cache())
        objective = Matching(
            c.generator,
            c.space,
            c.loss,
            c.estimator,
            data,
            fresh=fresh,
            batch=r.batch,
            chunk=r.chunk,
            device=c.device,
        )
        for name, value in objective.reference.items():
            if not torch.isfinite(value).all():
                raise DataError(
                    f"the {name} of the data's features is not finite; check the images, or choose "
                    "other layers of the extractor"
                )
        tracked = {name: objective.reference[name] for name in c.loss.kinds()}
        with randomness.lent(c.device, seed=randomness.derive(r.seed, "estimator")):
            count = c.estimator.seeding
            seed = objective.seed_statistics(count) if count else None
            c.estimator.start(tracked, seed)
        phase = Phase("generator", {"generator": c.generator}, objective, r.batch)
        return Program([phase], samples(c), state)


@torch.no_grad()
def _prepare(c: Composition, loss: MatchingLoss) -> None:
    """Show the loss the images it wants to see before anything is summarised."""
    if not loss.preparation or c.space is None:
        return
    chosen = torch.from_numpy(permutation(len(c.images), PREPARE)[: loss.preparation].copy())
    parts = [
        c.space.of_images(to_unit(c.images.batch(part).to(c.device)))
        for part in chosen.split(CHUNK)
    ]
    loss.prepare({name: torch.cat([part[name] for part in parts]) for name in parts[0]})


def _all(
    c: Composition, loss: MatchingLoss, advance: Advance | None, cache: Cache | None
) -> Summary:
    """Summarise all data."""
    assert c.space is not None

    def told(done: int) -> None:
        if advance is not None:
            advance("statistics of the data", done, len(c.images))

    return summarise_images(c.images, c.space, loss, device=c.device, cache=cache, advance=told)


@torch.no_grad()
def _drawn(
    c: Composition, loss: MatchingLoss, advance: Advance | None
) -> tuple[Summary, Callable[[], Summary], Stateful]:
    """Return a first data side of a step, what draws the next ones, and the state of that.

    The features of all data are made once where they fit in memory, otherwise step by step.
    """
    assert c.space is not None
    space, count = c.space, c.recipe.reference or c.recipe.batch
    seed = randomness.derive(c.recipe.seed, "data")
    batches = Minibatches(c.images, count, seed, device=c.device)
    first = next(Sampler(len(c.images), count, seed))
    probe = space.of_images(batches.at(first[:2]))
    size = 4 * len(c.images) * sum(value[0].numel() for value in probe.values())
    if size > HELD:

        def extracted(indices: Tensor) -> Summary:
            return loss.summarise(space.of_images(batches.at(indices)))

        return extracted(first), lambda: extracted(next(batches.sampler)), batches
    held = _all(c, loss, advance, Cache() if size <= KEPT else None)
    assert isinstance(held, Samples)
    return held.take(first), lambda: held.take(next(batches.sampler)), batches


def _fitting(kind: str, registry: Registry) -> list[str]:
    """Return the estimators that accept a kind of statistic."""
    names = []
    for provided in registry.select("estimator"):
        try:
            accepts: frozenset[str] = getattr(registry.target(provided), "accepts", frozenset())
        except GentkError:
            continue
        if kind in accepts:
            names.append(provided.component.name)
    return names
