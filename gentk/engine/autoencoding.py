"""Auto-encoding: the gradient of one step of an encoder and a generator that are each other's inverse.

    x ~ data -> h = E(x) -> G(h) -> loss(x, G(h)), and backward.

Reconstruction losses are means over samples, so a chunked batch is plain gradient accumulation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..data.minibatches import Minibatches
from ..feature_space import autocast
from ..interfaces import Encoder, Generator, ReconstructionLoss, total
from ..ranges import to_range
from .penalty import penalise

__all__ = ["Autoencoding"]


class Autoencoding:
    """The objective of an auto-encoding phase.

    Args:
        encoder: E.
        generator: G.
        loss: What compares x and G(E(x)).
        minibatches: Draws x.
        chunk: Samples per graph; None for the whole batch.
        dtype: What the networks compute in.
    """

    def __init__(
        self,
        encoder: Encoder,
        generator: Generator,
        loss: ReconstructionLoss,
        minibatches: Minibatches,
        *,
        chunk: int | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.encoder = encoder
        self.generator = generator
        self.loss = loss
        self.minibatches = minibatches
        self.chunk = chunk
        self.dtype = dtype

    def __call__(self) -> dict[str, Tensor]:
        """Add the step's gradient to both networks' parameters and return what to log.

        Returns:
            `loss` and `loss/TERM`, means over the batch: detached scalars on the device.
        """
        batch = next(self.minibatches)
        shown: dict[str, Tensor] = {}
        for part in batch.split(self.chunk or len(batch)):
            share = len(part) / len(batch)
            terms = self.loss(
                to_range(part, self.minibatches.range, self.loss.range), self.reconstruct(part)
            )
            objective = total(terms) * share
            objective.backward()
            for name, term in {"": objective / share, **terms}.items():
                key = f"loss/{name}" if name else "loss"
                shown[key] = shown.get(key, 0) + term.detach() * share
        return shown | penalise(encoder=self.encoder, generator=self.generator)

    def reconstruct(self, samples: Tensor) -> Tensor:
        """Return G(E(x)), in the loss's range, of samples in the range of `minibatches`."""
        with autocast(samples.device, self.dtype):
            codes = self.encoder(to_range(samples, self.minibatches.range, self.encoder.range))
            made = self.generator(codes)
        return to_range(made.float(), self.generator.range, self.loss.range)
