"""Auto-encoding: the gradient of one step of an encoder and a generator that are each other's inverse.

    x ~ data -> h = E(x) -> G(h) -> loss(x, G(h)), and backward.

Reconstruction losses are means over samples, so a chunked batch is plain gradient accumulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
        losses: What compares x and G(E(x)): name (empty for the only one), loss, and factor of each;
            their sum is minimised.
        minibatches: Draws x.
        chunk: Samples per graph; None for the whole batch.
        dtype: What the networks compute in.
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
    ) -> None:
        self.encoder = encoder
        self.generator = generator
        self.losses = losses
        self.minibatches = minibatches
        self.chunk = chunk
        self.dtype = dtype

    def __call__(self) -> dict[str, Tensor]:
        """Add the step's gradient to both networks' parameters and return what to log.

        Returns:
            `loss` and `loss/TERM`, with several losses `loss/NAME` and `loss/NAME/TERM`: means over the
            batch, times the factors; detached scalars on the device.
        """
        batch = next(self.minibatches)
        shown: dict[str, Tensor] = {}
        for part in batch.split(self.chunk or len(batch)):
            share = len(part) / len(batch)
            terms = self._terms(part)
            objective = total(terms) * share
            objective.backward()
            rows = {"loss": objective / share, **self._sums(terms), **terms}
            for name, term in rows.items():
                shown[name] = shown.get(name, 0) + term.detach() * share
        return shown | penalise(encoder=self.encoder, generator=self.generator)

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
