"""Slopes: whether a gradient is that of the value, by finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["slope_gap"]

STEP = 3e-3
"""How far values are moved, in their own units."""

DIRECTIONS = 6


def slope_gap(value: Callable[[Sequence[Tensor]], Tensor], at: Sequence[Tensor]) -> float:
    """Return how far the gradient of a value is from its finite differences, relative to its size.

    Along random directions r, of independent N(0, 1): max |(f(x + e r) - f(x - e r)) / 2e - g r| / |g|.
    What a gradient lacks shows with its own share of the gradient's length; 0 where there is none.

    Args:
        value: A scalar of some tensors.
        at: The tensors.
    """
    leaves = [x.detach().clone().requires_grad_() for x in at]
    gradients = torch.autograd.grad(value(leaves), leaves, allow_unused=True)
    slopes = [
        torch.zeros_like(x) if s is None else s for x, s in zip(leaves, gradients, strict=True)
    ]
    length = sum(float(s.double().square().sum()) for s in slopes) ** 0.5
    draw = torch.Generator().manual_seed(0)
    worst = 0.0
    for _ in range(DIRECTIONS):
        ways = [torch.randn(x.shape, generator=draw).to(x) for x in leaves]
        ends = []
        for sign in (1, -1):
            moved = [
                (x.detach() + sign * STEP * w).requires_grad_()
                for x, w in zip(leaves, ways, strict=True)
            ]
            ends.append(float(value(moved).detach()))
        along = sum(float((s.double() * w).sum()) for s, w in zip(slopes, ways, strict=True))
        worst = max(worst, abs((ends[0] - ends[1]) / (2 * STEP) - along))
    return worst / length if length else 0.0
