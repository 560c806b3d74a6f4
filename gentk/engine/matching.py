"""Matching: the gradient of one step of a matching run, in one graph or in chunks.

One graph:   z -> x = G(z) -> phi(x) -> Summary -> statistics -> estimator -> loss, and backward.

Virtual batch (`chunk` < `batch`), with the memory of one chunk: the first pass adds up the chunks'
summaries without a graph; the loss is differentiated with respect to the total; the second pass goes
through each chunk again, exactly alike (same latents, same random state, same buffers), and backward
through its summary with its share of that gradient. Since summaries are additive this is the gradient of
one graph over the same chunks. The second pass ends with the buffers and the random state that the first
ended with: each has gone through the last chunk from the same moment.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..feature_space import FeatureSpace, autocast
from ..interfaces import Estimator, Generator, MatchingLoss, Statistics, total
from ..summary import Summary
from .chunks import chunk_sizes
from .finite import Look, look_at_features, look_at_samples
from .penalty import penalise
from .replay import Replay

__all__ = ["Matching"]


class Matching:
    """The objective of a matching phase.

    Args:
        generator: G.
        space: phi.
        loss: D.
        estimator: M, already started.
        data: The summary of the data; its pivot is the model's too.
        fresh: For losses whose statistics are samples: draws the data side of a step, of which `data`
            is then only the first.
        batch: Generated samples per step.
        chunk: Generated samples per graph; None for the whole batch.
        device: Where latents are drawn.
    """

    def __init__(
        self,
        generator: Generator,
        space: FeatureSpace,
        loss: MatchingLoss,
        estimator: Estimator,
        data: Summary,
        *,
        fresh: Callable[[], Summary] | None = None,
        batch: int,
        chunk: int | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.generator = generator
        self.space = space
        self.loss = loss
        self.estimator = estimator
        self.data = data
        self.fresh = fresh
        self.reference = loss.reference(data)
        self.batch = batch
        self.sizes = chunk_sizes(batch, chunk or batch)
        self.device = device or torch.device("cpu")
        self.looks: list[Look] = []
        """What tells later whether the last step's samples and features were finite."""

    def __call__(self) -> dict[str, Tensor]:
        """Add the step's gradient to the generator's parameters and return what to log.

        Returns:
            `loss`, on the batch's own statistics; `loss/tracked`, what was minimised; and `loss/TERM`,
            the terms of `loss`. Detached scalars on the device: nothing waits for them.
        """
        self.looks = []
        if self.fresh is not None:
            with torch.no_grad():
                self.reference = self.loss.reference(self.fresh())
        if len(self.sizes) == 1:
            objective, shown = self._compare(self._summarise(self.batch))
            objective.backward()
        else:
            shown = self._in_chunks()
        return shown | penalise(generator=self.generator)

    def _in_chunks(self) -> dict[str, Tensor]:
        """Go through the chunks twice, see the module."""
        moments = []
        whole: Summary | None = None
        for size in self.sizes:
            moments.append(Replay.capture(self.generator, self.device))
            with torch.no_grad():
                part = self._summarise(size)
            whole = part if whole is None else whole + part
        assert whole is not None
        leaves = {k: v.detach().requires_grad_() for k, v in whole.to_tensors().items()}
        objective, shown = self._compare(whole.with_tensors(leaves))
        slopes = torch.autograd.grad(objective, list(leaves.values()))
        gradient = dict(zip(leaves, slopes, strict=True))
        start = 0
        for moment, size in zip(moments, self.sizes, strict=True):
            moment.restore(self.generator)
            tensors = self._summarise(size).to_tensors()
            share = whole.share(gradient, start, start + size)
            torch.autograd.backward(list(tensors.values()), [share[name] for name in tensors])
            start += size
        return shown

    @torch.no_grad()
    def seed_statistics(self, count: int, chunk: int = 64) -> Statistics:
        """Return the statistics of `count` samples of the generator as it is, buffers untouched."""
        before = Replay.capture(self.generator, self.device)
        whole: Summary | None = None
        for size in chunk_sizes(count, chunk):
            part = self._summarise(size)
            whole = part if whole is None else whole + part
        assert whole is not None
        before.restore(self.generator)
        return self.loss.statistics(whole)

    def _summarise(self, count: int) -> Summary:
        """Draw, generate, extract, summarise."""
        latents = self.generator.prior.draw(count, self.device)
        with autocast(self.device, self.space.dtype):
            images = self.generator(latents)
        if not torch.is_grad_enabled() or len(self.sizes) == 1:
            self.looks += look_at_samples("generator", images)
        features = self.space(images, self.generator.range)
        return self.loss.summarise(features, self.data)

    def _compare(self, summary: Summary) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the objective, and what to log of it."""
        self.looks += look_at_features(summary)
        model = self.loss.statistics(summary)
        tracked = self.estimator(model, self.reference)
        minimised = self.loss(self.reference, tracked)
        objective = total(minimised)
        if tracked is model:
            # Nothing is tracked, so what is minimised is what is shown.
            terms = {name: term.detach() for name, term in minimised.items()}
        else:
            with torch.no_grad():
                plain = {name: value.detach() for name, value in model.items()}
                terms = self.loss(self.reference, plain)
        shown = {"loss": total(terms), "loss/tracked": objective.detach()}
        return objective, shown | {f"loss/{name}": term for name, term in terms.items()}
