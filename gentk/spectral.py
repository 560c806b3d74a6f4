"""Spectral normalisation: weights divided by their largest singular value."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from .feature_space import autocast

__all__ = ["SpectralNorm", "normalised"]

L = TypeVar("L", nn.Linear, nn.Conv2d, nn.Embedding)


class SpectralNorm(nn.Module):
    """W -> gain W / sigma(W), sigma by one step of power iteration a training step.

    With W as a matrix (out, in * k * k) and the kept u:

        v = W^T u / |W^T u|,    u' = W v / |W v|,    sigma = u'^T W v,

    whose gradient goes through W alone. `before_update`, which the engine calls once a step, before the
    weight moves, keeps u'; a call keeps nothing, so that however often the weight is used in
    the step, and in steps of other networks, it is divided by the same. u and W are the whole state: a
    run that goes on does so with the same bits. Averaged weights average u too, and an average of unit
    vectors is none, but the iteration makes it one again.

    Args:
        weight: The weight it is for.
        eps: Smallest norm that is divided by.
        gain: The factor.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018,
    arXiv:1802.05957.
    """

    u: Tensor

    def __init__(self, weight: Tensor, *, eps: float = 1e-12, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain
        self.eps = eps
        start = torch.randn(len(weight), device=weight.device, dtype=weight.dtype)
        self.register_buffer("u", functional.normalize(start, dim=0, eps=eps))

    @torch.no_grad()
    def before_update(self, weight: Tensor) -> None:
        """Keep u': the engine says so, with the weight as it is trained."""
        self.u.copy_(self._iterated(weight.flatten(1))[0])

    def forward(self, weight: Tensor) -> Tensor:
        """Return the normalised weight."""
        with autocast(weight.device, torch.float32):
            rows = weight.flatten(1)
            u, v = self._iterated(rows)
            sigma = u @ (rows @ v)
            return weight / sigma if self.gain == 1 else weight * (self.gain / sigma)

    @torch.no_grad()
    def _iterated(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        v = functional.normalize(rows.T @ self.u, dim=0, eps=self.eps)
        return functional.normalize(rows @ v, dim=0, eps=self.eps), v


def normalised(layer: L, enabled: bool = True, eps: float = 1e-12, gain: float = 1.0) -> L:
    """Return the layer with spectral normalisation of its weight, times `gain`, or as it is."""
    if enabled:
        norm = SpectralNorm(layer.weight, eps=eps, gain=gain)
        # Shape and type are kept: torch need not try it, which would take a step.
        parametrize.register_parametrization(layer, "weight", norm, unsafe=True)
    return layer
