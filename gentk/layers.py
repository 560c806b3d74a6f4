"""Layers that several networks have, and what blocks give, one after another, by name."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from .interfaces import Features

__all__ = ["Maxout", "numbered"]


def numbered(blocks: Iterable[nn.Module], inputs: Tensor) -> tuple[Features, Tensor]:
    """Return the output of each block in turn, as `layer1`, `layer2`, ..., and the last one again.

    Without blocks the last output is `inputs`.
    """
    layers: Features = {}
    hidden = inputs
    for number, block in enumerate(blocks, 1):
        hidden = block(hidden)
        layers[f"layer{number}"] = hidden
    return layers, hidden


class Maxout(nn.Module):
    """y_i = max(x_{pi}, ..., x_{pi+p-1}) over channels: a p-th of them.

    Args:
        pieces: p.

    Source: Goodfellow et al., Maxout Networks, 2013, arXiv:1302.4389.
    """

    def __init__(self, pieces: int = 2) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, C / p, ...) for `maps` (N, C, ...)."""
        larger: Tensor = maps.unflatten(1, (-1, self.pieces)).amax(2)
        return larger
