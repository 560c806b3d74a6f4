"""The head of an encoder: features to a distribution over latents, or to latents."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .perceptron import ResidualMLP

__all__ = ["CodeHead"]


class CodeHead(nn.Module):
    """z = mean + softplus(raw) e,  e ~ N(0, 1),  (mean, raw) = W MLP(features).

    In eval mode, and of a deterministic head always, z is the mean: an encoder that is used as an
    extractor, or to reconstruct, gives the same twice.

    Args:
        before: Number of features.
        latent: Dimension of z.
        width: Units of the residual perceptron.
        blocks: Its blocks, two layers each; 0 leaves it out.
        stochastic: Whether there is a scale.
    """

    def __init__(
        self, before: int, latent: int, *, width: int, blocks: int, stochastic: bool
    ) -> None:
        super().__init__()
        self.latent = latent
        self.stochastic = stochastic
        self.hidden = ResidualMLP(before, width, blocks=blocks) if blocks else None
        size = 2 * latent if stochastic else latent
        self.last = nn.Linear(width if blocks else before, size)

    def distribution(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return mean and scale, (N, latent) each, or no scale, of `features` (N, before)."""
        hidden = features if self.hidden is None else self.hidden(features)
        parameters: Tensor = self.last(hidden)
        if not self.stochastic:
            return parameters, None
        mean, raw = parameters.split(self.latent, dim=1)
        return mean, functional.softplus(raw)

    def forward(self, features: Tensor) -> Tensor:
        """Return latents (N, latent): a draw in training mode, the mean in eval mode."""
        mean, scale = self.distribution(features)
        if scale is None or not self.training:
            return mean
        return mean + scale * torch.randn_like(mean)
