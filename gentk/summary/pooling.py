"""Pooling: features of maps and tokens as one vector a sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..interfaces import Features
from .checking import checked

__all__ = ["pooled"]


def pooled(features: Features) -> Features:
    """Average maps over space and tokens over positions: every feature becomes (N, D)."""
    axes = {4: (2, 3), 3: (1,)}
    return {
        name: _Mean.apply(value, axes[value.dim()]) if value.dim() in axes else value
        for name, value in checked(features).items()
    }


class _Mean(torch.autograd.Function):
    """The mean over positions, whose gradient is one number a map and takes the memory of one.

    Whoever adds it to another gradient of the map reads that number; torch's own writes it to every
    position first, which of all layers of a network is a pass over all of its activations.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, axes: tuple[int, ...]) -> Tensor:
        ctx.axes, ctx.shape = axes, maps.shape
        return maps.mean(axes)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        share = grads[0]
        for axis in ctx.axes:
            share = share.unsqueeze(axis) / ctx.shape[axis]
        return share.expand(ctx.shape), None
