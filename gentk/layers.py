"""Layers: what the blocks of a network give, one after another, by name."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from .interfaces import Features

__all__ = ["numbered"]


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
