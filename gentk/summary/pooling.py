"""Pooling: features of maps and tokens as one vector a sample."""

from __future__ import annotations

from ..interfaces import Features
from .checking import checked

__all__ = ["pooled"]


def pooled(features: Features) -> Features:
    """Average maps over space and tokens over positions: every feature becomes (N, D)."""
    axes = {4: (2, 3), 3: (1,)}
    return {
        name: value.mean(axes[value.dim()]) if value.dim() in axes else value
        for name, value in checked(features).items()
    }
