"""Matching: the gradient of one step of a matching run, in one graph or in chunks.

One graph:   z -> x = G(z) -> phi(x) -> Summary -> statistics -> estimator -> loss, and backward; with
several losses, each goes from phi(x) on by itself (`Discrepancy`), and their sum goes backward.

Virtual batch (`chunk` < `batch`), with the memory of one chunk: the first pass adds up the chunks'
summaries without a graph; the losses are differentiated with respect to totals; the second pass goes
through each chunk again, exactly alike (same latents, same random state, same buffers), and backward
through its summaries with their share of that gradient. Since summaries are additive, this is the
gradient of one graph over the same chunks. The second pass ends with the buffers and the random state
that the first ended with: each has gone through the last chunk from the same moment.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..feature_space import FeatureSpace, autocast
from ..interfaces import Generator, Statistics
from ..summary import Summary
from .chunks import chunk_sizes
from .discrepancy import Discrepancy, logged, sum_of
from .finite import Look, look_at_features, look_at_samples
from .penalty import penalise
from .replay import Replay
from .totals import Slopes
from .world import World

__all__ = ["Matching"]


class Matching:
    """The objective of a matching phase.

    Args:
        generator: G.
        space: phi.
        discrepancies: The losses, each with its estimator and its data side.
        batch: Generated samples per step.
        chunk: Generated samples per graph; None for the whole batch.
        world: Where latents are drawn.
    """

    def __init__(
        self,
        generator: Generator,
        space: FeatureSpace,
        discrepancies: Sequence[Discrepancy],
        *,
        batch: int,
        chunk: int | None = None,
        world: World | None = None,
    ) -> None:
        self.generator = generator
        self.space = space
        self.discrepancies = list(discrepancies)
        self.batch = batch
        self.sizes = chunk_sizes(batch, chunk or batch)
        self.world = world or World()
        self.device = self.world.device
        self.looks: list[Look] = []
        """What tells later whether the last step's samples and features were finite."""

    def __call__(self) -> dict[str, Tensor]:
        """Add the step's gradient to the generator's parameters and return what to log.

        Returns:
            `loss`, on the batch's own statistics; `loss/tracked`, what was minimised; and `loss/TERM`,
            the terms of `loss`; with several losses `loss/NAME`, and `loss/NAME/TERM`. They add up to
            `loss`, factors included. `observed/...` is what losses let be seen besides. Detached
            scalars on the device: nothing waits for them.
        """
        self.looks = []
        for discrepancy in self.discrepancies:
            discrepancy.refresh()
        labels = self._labels(self.batch)
        if len(self.sizes) == 1:
            objective, shown = self._compare(self._summarise(self.batch, labels))
            objective.backward()
        else:
            shown = self._in_chunks(labels)
        return shown | penalise(generator=self.generator)

    def _in_chunks(self, labels: Tensor | None) -> dict[str, Tensor]:
        """Go through the chunks twice, see the module."""
        moments = []
        parts = _split(labels, self.sizes)
        whole: list[Summary] | None = None
        for size, part in zip(self.sizes, parts, strict=True):
            moments.append(Replay.capture(self.generator, self.device))
            with torch.no_grad():
                whole = self._summarise(size, part, whole, add=True)
        assert whole is not None
        slopes = Slopes(whole)
        shown = slopes.descend(self._compare)
        start = 0
        for moment, size, part in zip(moments, self.sizes, parts, strict=True):
            moment.restore(self.generator)
            summaries = self._summarise(size, part, whole)
            torch.autograd.backward(*slopes.shares(summaries, start, start + size))
            start += size
        return shown

    def start(self, discrepancy: Discrepancy) -> None:
        """Start an estimator, from statistics of the generator as it is if it asks for them."""
        count = discrepancy.estimator.seeding
        seed = self.seed_statistics(discrepancy, count) if count else None
        discrepancy.start(seed, lambda: self.seed_statistics(discrepancy, self.fewest))

    @torch.no_grad()
    def seed_statistics(self, discrepancy: Discrepancy, count: int, chunk: int = 64) -> Statistics:
        """Return the statistics of `count` samples of the generator as it is, buffers untouched.

        Args:
            discrepancy: Whose statistics.
            count: How many.
            chunk: Samples at a time.
        """
        before = Replay.capture(self.generator, self.device)
        sizes = chunk_sizes(count, chunk)
        whole: list[Summary] | None = None
        for size, part in zip(sizes, _split(self._labels(count), sizes), strict=True):
            whole = self._summarise(size, part, whole, add=True)
        assert whole is not None
        before.restore(self.generator)
        return discrepancy.loss.statistics(whole[self.discrepancies.index(discrepancy)])

    @property
    def fewest(self) -> int:
        """The fewest samples that have statistics: two of each class."""
        return 2 * max(1, self.generator.prior.classes)

    def _labels(self, count: int) -> Tensor | None:
        """Draw the classes of a batch, each equally often, where a loss goes by them."""
        if not any(discrepancy.labelled for discrepancy in self.discrepancies):
            return None
        return self.generator.prior.balanced(count, self.device)

    def _summarise(
        self,
        count: int,
        labels: Tensor | None,
        whole: Sequence[Summary] | None = None,
        *,
        add: bool = False,
    ) -> list[Summary]:
        """Draw, generate, extract, and summarise for each loss.

        Args:
            count: How many samples.
            labels: Their classes; drawn too without them.
            whole: The summaries of earlier chunks.
            add: Return the sums with those.
        """
        latents = self.generator.prior.draw(count, self.device, labels)
        rows = None if labels is None else latents[:, self.generator.prior.dimension :]
        with autocast(self.device, self.space.dtype):
            images = self.generator(latents)
        if not torch.is_grad_enabled() or len(self.sizes) == 1:
            self.looks += look_at_samples("generator", images)
        features = self.space(images, self.generator.range)
        earlier: Sequence[Summary | None] = whole or [None] * len(self.discrepancies)
        summaries = [
            discrepancy.summarise(features, self.space, rows, before)
            for discrepancy, before in zip(self.discrepancies, earlier, strict=True)
        ]
        if not add or whole is None:
            return summaries
        return [before + part for before, part in zip(whole, summaries, strict=True)]

    def _compare(self, summaries: Sequence[Summary]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the objective, and what to log of it."""
        for summary in summaries:
            self.looks += look_at_features(summary)
        rows = [d.compare(s) for d, s in zip(self.discrepancies, summaries, strict=True)]
        objective = sum_of([row.objective for row in rows])
        loss, shown = logged("loss", self.discrepancies, rows)
        return objective, {"loss": loss, "loss/tracked": objective.detach(), **shown}


def _split(labels: Tensor | None, sizes: list[int]) -> Sequence[Tensor | None]:
    """Return the classes of each chunk."""
    return [None] * len(sizes) if labels is None else labels.split(sizes)
