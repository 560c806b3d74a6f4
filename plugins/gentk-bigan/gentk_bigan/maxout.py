"""Maxout: the larger of two values of each unit."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["Maxout"]


class Maxout(nn.Module):
    """y_i = max(x_2i, x_2i+1) over channels: half as many.

    Source: Goodfellow et al., Maxout Networks, 2013, arXiv:1302.4389.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, C / 2, ...) for `maps` (N, C, ...)."""
        larger: Tensor = maps.unflatten(1, (-1, 2)).amax(2)
        return larger
