"""Matching: the gradient of one step of a matching run, in one graph or in chunks.

One graph:   z -> x = G(z) -> phi(x) -> Summary -> statistics -> estimator -> loss, and backward; with
several losses, each goes from phi(x) on by itself (`Discrepancy`), and their sum goes backward.

Virtual batch (`chunk` < `batch`), with the memory of one chunk: latents are drawn for the whole batch;
the first pass adds up the chunks' summaries, without a graph for all but the last; the losses are
differentiated with respect to totals; then chunks go backward through their summaries with their share
of that gradient, the last one first, along the graph it has, and each of the others along that of a
second pass, exactly alike (same latents, same random state, same buffers). Since summaries are additive,
this is the gradient of one graph over the same chunks. Buffers end as the first pass left them.

Several processes add up the summaries of their chunks before the losses see them, and then the
gradients. So K chunks of a process take 2 K - 1 passes of the networks, and one chunk takes one.
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
from .randomness import Draws
from .ranks import Ranks
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
        world: The processes that share the chunks.
        seed: Of what is random in the passes of chunks.

    Attributes:
        draws: The random states of chunks, which a checkpoint keeps.
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
        seed: int = 0,
    ) -> None:
        self.generator = generator
        self.space = space
        self.discrepancies = list(discrepancies)
        self.batch = batch
        self.sizes = chunk_sizes(batch, chunk or batch)
        self.world = world or World()
        self.device = self.world.device
        self.ranks = Ranks(self.world, self.sizes, lambda: {"generator": self.generator})
        self.draws = Draws(seed, self.device)
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
        self.draws.advance()
        for discrepancy in self.discrepancies:
            discrepancy.refresh()
        labels = self._labels(self.batch)
        latents = self.generator.prior.draw(self.batch, self.device, labels)
        if len(self.sizes) == 1:
            objective, shown = self._compare(self._summarise(latents, labelled=labels is not None))
            objective.backward()
        else:
            shown = self._in_chunks(latents, labelled=labels is not None)
        return shown | penalise(generator=self.generator)

    def _in_chunks(self, latents: Tensor, *, labelled: bool) -> dict[str, Tensor]:
        """Go through the chunks, and back, see the module."""
        chunks = self.ranks.chunks
        kept = chunks[-1] if self._pivoted else None
        moments = []
        totals = self.ranks.totals("model")
        first: Sequence[Summary] | None = None
        for chunk in chunks:
            with self.ranks.passing(chunk), self.draws.of("chunk", chunk.index):
                moments.append(Replay.capture(self.generator, self.device))
                with torch.set_grad_enabled(chunk is kept):
                    own = self._summarise(latents[chunk.rows], first, labelled=labelled, look=True)
            first = first or own
            totals.take(chunk, own)
        end = Replay.capture(self.generator, self.device)
        whole = totals.whole()
        slopes = Slopes(whole)
        shown = slopes.descend(self._compare)
        for chunk, moment in zip(reversed(chunks), reversed(moments), strict=True):
            if chunk is not kept:
                with self.draws.of("chunk", chunk.index):
                    moment.restore(self.generator)
                    own = self._summarise(latents[chunk.rows], whole, labelled=labelled)
            torch.autograd.backward(*slopes.shares(own, chunk.rows.start, chunk.rows.stop))
        end.restore(self.generator)
        self.ranks.sum([self.generator], {})
        return shown

    @property
    def _pivoted(self) -> bool:
        """Whether a chunk's summaries are about the pivot of the totals whatever chunk they are of."""
        return all(isinstance(d.data, d.loss.summary) for d in self.discrepancies)

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
            latents = self.generator.prior.draw(size, self.device, part)
            labelled = part is not None
            own = self._summarise(latents, whole, labelled=labelled, look=True, whose=[discrepancy])
            whole = own if whole is None else [a + b for a, b in zip(whole, own, strict=True)]
        assert whole is not None
        before.restore(self.generator)
        return discrepancy.loss.statistics(whole[0])

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
        latents: Tensor,
        earlier: Sequence[Summary] | None = None,
        *,
        labelled: bool,
        look: bool = False,
        whose: Sequence[Discrepancy] | None = None,
    ) -> list[Summary]:
        """Generate, extract, and summarise for each loss.

        Args:
            latents: Of the samples.
            earlier: Summaries whose pivots to take where the data's are of another class.
            labelled: Whether a loss goes by the classes in the latents.
            look: Whether to look at the samples, as at those of one graph.
            whose: The losses; None for all of the step.
        """
        asked = self.discrepancies if whose is None else whose
        rows = latents[:, self.generator.prior.dimension :] if labelled else None
        with autocast(self.device, self.space.dtype):
            images = self.generator(latents)
        if look or len(self.sizes) == 1:
            self.looks += look_at_samples("generator", images)
        features = self.space(images, self.generator.range)
        likes: Sequence[Summary | None] = earlier or [None] * len(asked)
        return [
            discrepancy.summarise(features, self.space, rows, like)
            for discrepancy, like in zip(asked, likes, strict=True)
        ]

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
