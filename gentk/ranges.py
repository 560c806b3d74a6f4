"""Ranges and sizes: image values in [-1, 1] or [0, 1], and resolutions, converted where parts differ."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from .interfaces import ImageShape, Range

__all__ = ["resized", "to_range"]


def to_range(images: Tensor, have: Range, want: Range) -> Tensor:
    """Convert image values from one range to the other: unit = (signed + 1) / 2."""
    if have == want:
        return images
    return (images + 1) / 2 if want == "unit" else images * 2 - 1


def resized(images: Tensor, shape: ImageShape) -> Tensor:
    """Return images (N, C, H, W) at the height and width of `shape`.

    Smaller ones are means over squares of pixels where the sides are multiples; others are
    interpolated.
    """
    height, width = images.shape[-2:]
    if (height, width) == shape[1:]:
        return images
    if height % shape.height == 0 and width % shape.width == 0:
        return functional.avg_pool2d(images, (height // shape.height, width // shape.width))
    return functional.interpolate(images, shape[1:], mode="bilinear", align_corners=False)
