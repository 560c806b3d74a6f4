"""Batch norm whose gain and bias depend on the latent."""

from __future__ import annotations

from torch import Tensor, nn

from gentk.spectral import normalised

__all__ = ["ConditionalNorm"]


class ConditionalNorm(nn.Module):
    """y = (1 + W_g c) norm(x) + W_b c, norm(.) being batch norm without gain and bias of its own.

    Args:
        channels: Channels of x.
        condition: Dimension of c; 0 for an ordinary batch norm, which has a gain and a bias.
        spectral: Whether W_g and W_b are spectrally normalised.
        eps: Added to variances.

    Source: Brock, Donahue and Simonyan, 2019, arXiv:1809.11096.
    """

    def __init__(
        self, channels: int, condition: int, *, spectral: bool = True, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, eps=eps, affine=not condition)
        self.gain, self.bias = (
            normalised(nn.Linear(condition, channels, bias=False), spectral) if condition else None
            for _ in range(2)
        )

    def forward(self, maps: Tensor, condition: Tensor | None) -> Tensor:
        """Return maps of the same shape, (N, C, H, W), for `condition` (N, condition)."""
        normed: Tensor = self.norm(maps)
        if self.gain is None or self.bias is None:
            return normed
        gain, bias = self.gain(condition)[..., None, None], self.bias(condition)[..., None, None]
        conditioned: Tensor = normed + gain * normed + bias
        return conditioned
