"""Preparation: images in [0, 1] -> what the network was trained on."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Preparation"]


class Preparation(nn.Module):
    """Resize and normalise images, differentiably.

    x -> (resize(x) - mean) / std, per channel; nothing is clamped or rounded.

    Args:
        mean: Mean per channel, for values in [0, 1].
        std: Standard deviation per channel.
        size: (height, width) in pixels to resize to; None keeps the images' own.
        interpolation: timm's name of the filter; `bilinear`, anything else is bicubic. Both are
            antialiased.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        size: tuple[int, int] | None = None,
        interpolation: str = "bilinear",
    ) -> None:
        super().__init__()
        self.size = size
        self.mode = "bilinear" if interpolation == "bilinear" else "bicubic"
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the prepared images, in the floating-point type of the network."""
        images = images.to(self.mean.dtype)
        if self.size is not None and tuple(images.shape[-2:]) != self.size:
            images = functional.interpolate(
                images, size=self.size, mode=self.mode, align_corners=False, antialias=True
            )
        return (images - self.mean) / self.std

    def describe(self) -> dict[str, object]:
        """Return all that decides its output, as plain values."""
        return {
            "mean": self.mean.flatten().tolist(),
            "std": self.std.flatten().tolist(),
            "size": self.size,
            "interpolation": self.mode if self.size else None,
        }
