"""Grids: many images as one picture that people can look at."""

from __future__ import annotations

import math

import torch
from PIL import Image
from torch import Tensor

from .errors import DataError

__all__ = ["tile"]

GUTTER = 2
"""Pixels between tiles, and around them."""

WHITE = 255
"""What lies between tiles."""

VISIBLE = 64
"""Pixels that the longer side of a tile has at least: smaller images are enlarged."""


def tile(images: Tensor, columns: int = 8, scale: int | None = None) -> Image.Image:
    """Lay images side by side on white, row by row, each pixel enlarged to a square.

    Args:
        images: (N, C, H, W) in [0, 1], C = 1 or 3; what is not finite is drawn black.
        columns: Images in a row; fewer if there are fewer.
        scale: Side of the square that a pixel becomes; None for the smallest whole number that
            makes a tile at least 64 pixels long or wide.

    Raises:
        DataError: There are no images, or they are neither grey nor colour.
    """
    if not isinstance(images, Tensor):
        raise DataError(
            f"images are a tensor (N, C, H, W), not {type(images).__name__}; give "
            "torch.as_tensor(images)"
        )
    if images.dim() != 4 or not len(images) or images.shape[1] not in (1, 3):
        raise DataError(
            f"cannot draw images of shape {tuple(images.shape)}; give (N, 1 or 3, H, W) with N > 0"
        )
    count, channels, height, width = images.shape
    scale = scale or max(1, math.ceil(VISIBLE / max(height, width)))
    values = (images.detach().cpu().float().nan_to_num(0, 1, 0).clamp(0, 1) * 255).round()
    tiles = values.byte().repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    columns = min(columns, count)
    height, width = (GUTTER + side for side in tiles.shape[2:])
    # Not torchvision's make_grid: importing it took two fifths of the time of `gentk sample`.
    sheet = torch.full(
        (channels, math.ceil(count / columns) * height + GUTTER, columns * width + GUTTER),
        WHITE,
        dtype=torch.uint8,
    )
    for i, one in enumerate(tiles):
        top, left = i // columns * height + GUTTER, i % columns * width + GUTTER
        sheet[:, top : top + one.shape[1], left : left + one.shape[2]] = one
    array = sheet.permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(array[:, :, 0] if channels == 1 else array)
