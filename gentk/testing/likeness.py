"""Likeness: whether two tensors are the same, and how far they are apart if not."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["difference", "same"]


def same(a: Tensor, b: Tensor) -> bool:
    """Say whether two tensors are equal to the last bit."""
    return a.shape == b.shape and torch.equal(a, b)


def difference(a: Tensor, b: Tensor) -> float:
    """Return |a - b| / |a| in the Euclidean norm; infinity for other shapes or NaN."""
    if a.shape != b.shape:
        return math.inf
    first, second = a.detach().double().flatten(), b.detach().double().flatten()
    gap = float((first - second).norm() / first.norm().clamp(min=1e-12))
    return gap if math.isfinite(gap) else math.inf
