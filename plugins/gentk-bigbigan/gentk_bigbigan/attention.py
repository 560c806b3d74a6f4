"""Self-attention over the positions of a map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gentk.spectral import normalised

__all__ = ["SelfAttention"]


class SelfAttention(nn.Module):
    """y = x + gamma o(sum_j softmax_j(theta(x_i)^T phi(x_j)) g(x_j)), gamma = 0 at the start.

    theta, phi: 1x1 convolutions to C / 8 channels, g to C / 2, o back to C, none with a bias; phi and
    g are max-pooled by 2, so that the N positions look at N / 4. There is no 1 / sqrt(d).

    Args:
        channels: C, a multiple of 8.
        spectral: Whether the convolutions are spectrally normalised.
        eps: Of spectral normalisation.

    Source: Zhang et al., Self-Attention Generative Adversarial Networks, 2019, arXiv:1805.08318, as
    in BigGAN, arXiv:1809.11096.
    """

    def __init__(self, channels: int, *, spectral: bool = True, eps: float = 1e-12) -> None:
        super().__init__()
        few, half = max(channels // 8, 1), max(channels // 2, 1)

        def pointwise(before: int, after: int) -> nn.Conv2d:
            return normalised(nn.Conv2d(before, after, 1, bias=False), spectral, eps)

        self.theta, self.phi = pointwise(channels, few), pointwise(channels, few)
        self.g, self.o = pointwise(channels, half), pointwise(half, channels)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape, (N, C, H, W)."""
        query = _positions(self.theta(maps))
        key = _positions(functional.max_pool2d(self.phi(maps), 2))
        value = _positions(functional.max_pool2d(self.g(maps), 2))
        seen = functional.scaled_dot_product_attention(query, key, value, scale=1.0)
        attended: Tensor = self.o(seen.transpose(1, 2).unflatten(2, maps.shape[2:]))
        return maps + self.gamma * attended


def _positions(maps: Tensor) -> Tensor:
    """Return (N, H * W, C)."""
    return maps.flatten(2).transpose(1, 2)
