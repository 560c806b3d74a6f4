"""Fold: batch normalisation of a frozen network, moved into the convolution before it.

In eval mode a batch norm is y -> a y + b with a = gamma / sqrt(var + eps) and b = beta - a mean,
per channel. A convolution whose only reader is that norm can have the weights a W and the bias
a bias + b instead, and the norm is gone, from the forward pass and from the backward pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container
from typing import Any

import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import Tensor, nn

from .uses import Uses

__all__ = ["FORMAT", "FoldedNorm", "fold"]

FORMAT = 1
"""Counts the ways of folding that can change a feature's last digits; part of fingerprints."""

# Exact types: a subclass may do something to its weight on the way (weight standardisation).
_CONVOLUTIONS = (nn.Conv2d, Conv2dSame)
_NORMS = (nn.BatchNorm2d, BatchNormAct2d)


class FoldedNorm(nn.Module):
    """What is left of a norm with a built-in activation: the activation, under its old name."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.act = act

    def forward(self, values: Tensor) -> Tensor:
        """Return the activation of the convolution's output."""
        activated: Tensor = self.act(values)
        return activated


@torch.no_grad()
def fold(network: nn.Module, run: Callable[[], object], keep: Container[str] = ()) -> int:
    """Fold each batch norm of a network in eval mode into the convolution that feeds it.

    Args:
        network: Changed in place.
        run: Runs the network as it will be used; what feeds what is read off this run.
        keep: Convolutions to leave as they are, because their own output is wanted.

    Returns:
        The number of norms folded.
    """
    pairs = [pair for pair in _pairs(network, run) if pair[0] not in keep]
    for convolution_path, norm_path in pairs:
        convolution = network.get_submodule(convolution_path)
        norm = network.get_submodule(norm_path)
        assert_types = isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        if assert_types:
            _merge(convolution, norm)
        parent, _, name = norm_path.rpartition(".")
        rest = FoldedNorm(norm.act) if isinstance(norm, BatchNormAct2d) else nn.Identity()
        setattr(network.get_submodule(parent), name, rest)
    return len(pairs)
