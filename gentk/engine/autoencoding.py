"""Auto-encoding: the gradient of one step of an encoder and a generator that are each other's inverse.

    x ~ data -> h = E(x) -> G(h) -> loss(x, G(h)), and backward.

Reconstruction losses are means over samples, so a chunked batch is plain gradient accumulation, and the
gradients of several processes add up to the batch's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from ..data.minibatches import Minibatches
from ..feature_space import autocast
from ..interfaces import Encoder, Generator, ReconstructionLoss, total
from ..ranges import to_range
from .chunks import chunk_sizes
from .penalty import penalise
from .randomness import Draws
from .ranks import Chunk, Ranks
from .world import World

__all__ = ["Autoencoding"]


class Autoencoding:
    """The objective of an auto-encoding phase.

    Args:
        encoder: E.
        generator: G.
        losses: What compares x and G(E(x)): name (empty for the only one), loss, and factor of each;
            their sum is minimised.
        minibatches: Draws x.
        chunk: Samples per graph; None for the whole batch.
        dtype: What the networks compute in.
        world: The processes that share the chunks.
        seed: Of what is random in the passes of chunks.

    Attributes:
        draws: The random states of chunks, which a checkpoint keeps.
    """

    def __init__(
        self,
        encoder: Encoder,
        generator: Generator,
        losses: Sequence[tuple[str, ReconstructionLoss, float]],
        minibatches: Minibatches,
        *,
        chunk: int | None = None,
        dtype: torch.dtype = torch.float32,
        world: World | None = None,
        seed: int = 0,
    ) -> None:
        self.encoder = encoder
        self.generator = generator
        self.losses = losses
        self.minibatches = minibatches
        self.batch = minibatches.sampler.batch
        self.dtype = dtype
        self.sizes = chunk_sizes(self.batch, chunk or self.batch)
        self.ranks = Ranks(
            world or World(),
            self.sizes,
            lambda: {"encoder": encoder, "generator": generator},
        )
        self.draws = Draws(seed, self.ranks.world.device)

    def __call__(self) -> dict[str, Tensor]:
        """Add the step's gradient to both networks' parameters and return what to log.

        Returns:
            `loss` and `loss/TERM`, with several losses `loss/NAME` and `loss/NAME/TERM`: means over the
            batch, times the factors; detached scalars on the device.
        """
        self.draws.advance()
        batch = self.minibatches.drawn([chunk.rows for chunk in self.ranks.chunks])
        shown: dict[str, Tensor] = {}
        for chunk, (part, _) in zip(self.ranks.chunks, batch, strict=True):
            share = len(part) / self.batch
            with self.ranks.passing(chunk), self._random(chunk):
                terms = self._terms(part)
            objective = total(terms) * share
            objective.backward()
            rows = {"loss": objective / share, **self._sums(terms), **terms}
            for name, term in rows.items():
                shown[name] = shown.get(name, 0) + term.detach() * share
        shown = self.ranks.sum([self.encoder, self.generator], shown)
        return shown | penalise(encoder=self.encoder, generator=self.generator)

    def _random(self, chunk: Chunk) -> AbstractContextManager[None]:
        """Return a context with the random state of a chunk; a whole batch has the run's own."""
        return nullcontext() if len(self.sizes) == 1 else self.draws.of("chunk", chunk.index)

    def _terms(self, part: Tensor) -> dict[str, Tensor]:
        """Return the terms of all losses, by the names they are logged by."""
        reconstruction = self.reconstruct(part)
        shown = {}
        for name, loss, factor in self.losses:
            x = to_range(part, self.minibatches.range, loss.range)
            terms = loss(x, to_range(reconstruction, self.generator.range, loss.range))
            for term, value in terms.items():
                key = "/".join(filter(None, ("loss", name, term)))
                shown[key] = value if factor == 1 else factor * value
        return shown

    def _sums(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the sum of each of several losses."""
        heads = [f"loss/{name}" for name, _, _ in self.losses if name]
        return {
            head: total([v for key, v in terms.items() if key.startswith(f"{head}/")])
            for head in heads
        }

    def reconstruct(self, samples: Tensor) -> Tensor:
        """Return G(E(x)), in the generator's range, of samples in the range of `minibatches`."""
        with autocast(samples.device, self.dtype):
            codes = self.encoder(to_range(samples, self.minibatches.range, self.encoder.range))
            images: Tensor = self.generator(codes)
        return images.float()
