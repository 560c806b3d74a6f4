"""Pictures: one decoded image brought to the form a view asks for."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import DataError
from .view import View

__all__ = ["picture", "plain", "read_image"]


def read_image(source: Path | bytes) -> Image.Image:
    """Read and decode an image file, whole, from its path or from its bytes.

    Raises:
        OSError: When it is missing, damaged or no image.
    """
    try:
        image = Image.open(BytesIO(source) if isinstance(source, bytes) else source)
        with image:
            image.load()
    except OSError:
        raise
    except Exception as error:
        # Damaged bytes make Pillow raise SyntaxError, TypeError, DecompressionBombError and others.
        raise OSError(f"{type(error).__name__}: {error}") from error
    return image


def picture(image: Image.Image, view: View) -> NDArray[np.uint8]:
    """Return `image` as (C, H, W) uint8: channels, then centre crop, then size.

    Args:
        image: An image in any mode.
        view: Its `channels`, `crop` and `size` apply.

    Raises:
        DataError: When the crop is larger than the image.
        ValueError: When the image's pixels cannot be brought to 8 bits.
    """
    image = plain(image)
    if view.channels:
        image = image.convert("L" if view.channels == 1 else "RGB")
    if view.crop:
        image = _crop(image, view.crop)
    if view.size and image.size != (view.size, view.size):
        width, height = (view.size * side // min(image.size) for side in image.size)
        resized = image.resize((width, height), Image.Resampling.BILINEAR)
        image = _crop(resized, view.size)
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def plain(image: Image.Image) -> Image.Image:
    """Return `image` as 8-bit grey (`L`) or colour (`RGB`).

    Transparent images are laid on white, as a browser shows them, since what is stored under
    transparent pixels is arbitrary. 16-bit grey is scaled to 8. Palettes and other colour spaces
    become RGB. Pixels are taken as stored: an EXIF orientation is not applied.

    Raises:
        ValueError: When pixels have more than 16 bits.
    """
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        return _eight_bits(image)
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB").convert("L") if grey else image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a 16-bit grey image with 8."""
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its pixels have more than 16 bits (mode {image.mode})")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def _crop(image: Image.Image, side: int) -> Image.Image:
    """Return the central `side` x `side` square."""
    width, height = image.size
    if side > min(width, height):
        raise DataError(f"crop={side} does not fit an image of {width} x {height} pixels")
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))
