"""Ranges: image values in [-1, 1] or [0, 1], converted where parts differ."""

from __future__ import annotations

from torch import Tensor

from .interfaces import Range

__all__ = ["to_range"]


def to_range(images: Tensor, have: Range, want: Range) -> Tensor:
    """Convert image values from one range to the other: unit = (signed + 1) / 2."""
    if have == want:
        return images
    return (images + 1) / 2 if want == "unit" else images * 2 - 1
