"""Pictures: one decoded image brought to the form a view asks for."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from ..errors import DataError
from .colour import to_srgb
from .view import View

__all__ = ["picture", "plain", "read_image", "suffixes"]

Remark = Callable[[str], None]

FRAMES: Final = "gentk_frames"
"""The key of `Image.info` under which `read_image` leaves the number of frames, if there are several."""

_OTHERS: Final = frozenset(
    {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "PALM", "PDF", "PCD", "WMF"}
)
"""Formats that Pillow knows by name only, draws with another program, or cannot read."""


def _formats() -> list[str]:
    Image.init()
    return [name for name in Image.ID if name not in _OTHERS]


def suffixes() -> frozenset[str]:
    """Return the extensions of the image files that this Pillow reads, such as `.png`."""
    Image.init()
    known = {*_formats(), "MPO"}
    return frozenset(end for end, name in Image.registered_extensions().items() if name in known)


def read_image(source: Path | bytes) -> Image.Image:
    """Read and decode an image file, whole, from its path or from its bytes.

    Raises:
        OSError: When it is missing, damaged or no image.
    """
    try:
        image = Image.open(
            BytesIO(source) if isinstance(source, bytes) else source, formats=_formats()
        )
        with image:
            frames = getattr(image, "n_frames", 1)
            # Pillow keeps the high byte of 16-bit colours, and both bytes of the transparent one.
            wide = any(str(tile[3]).startswith("RGB;16") for tile in image.tile)
            image.load()
            clear = image.info.get("transparency")
            if wide and isinstance(clear, tuple):
                image.info["transparency"] = tuple(value >> 8 for value in clear)
            if frames > 1:
                image.info[FRAMES] = frames
    except OSError:
        raise
    except Exception as error:
        # Damaged bytes make Pillow raise SyntaxError, TypeError, DecompressionBombError and others.
        raise OSError(f"{type(error).__name__}: {error}") from error
    return image


def picture(
    image: Image.Image, view: View, remark: Remark = lambda what: None
) -> NDArray[np.uint8]:
    """Return `image` as (C, H, W) uint8: orientation, colours, channels, centre crop, then size.

    Args:
        image: An image in any mode.
        view: Its `orientation`, `white`, `channels`, `crop` and `size` apply.
        remark: Called with a key of `gentk.data.remarks.SENTENCES` for each that is true of it.

    Raises:
        DataError: When the crop is larger than the image, or its white is not known.
    """
    if FRAMES in image.info:
        remark("frames")
    if view.orientation == "upright":
        image = _upright(image, remark)
    image = plain(image, white=view.white, remark=remark)
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


def plain(
    image: Image.Image, *, white: float | None = None, remark: Remark = lambda what: None
) -> Image.Image:
    """Return `image` as 8-bit grey (`L`) or colour (`RGB`), in sRGB.

    Transparent images are laid on white, as a browser shows them, since what is stored under
    transparent pixels is arbitrary. 16-bit grey is scaled to 8. Palettes and other colour spaces
    become RGB, colour profiles sRGB.

    Args:
        image: An image in any mode.
        white: The value of white in pixels of 32 bits; values are scaled so that it becomes 255.
        remark: As for `picture`.

    Raises:
        DataError: When pixels have 32 bits and `white` is not given, or they exceed it.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        image = _eight_bits(image, white, remark)
    if "icc_profile" in image.info:
        image = to_srgb(image, remark)
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return image.convert("RGB").convert("L") if grey else image.convert("RGB")


def _upright(image: Image.Image, remark: Remark) -> Image.Image:
    """Return `image` as its EXIF orientation wants it to be seen."""
    try:
        if image.getexif().get(Base.Orientation, 1) not in range(2, 9):
            return image
        turned = ImageOps.exif_transpose(image)
    except Exception:  # Damaged EXIF data make Pillow raise all kinds of errors.
        return image
    remark("turned")
    return turned


def _eight_bits(image: Image.Image, white: float | None, remark: Remark) -> Image.Image:
    """Return a grey image of 16 or 32 bits with 8; what is transparent becomes white."""
    values = np.asarray(image).astype(np.float64)
    # Pillow scales portable maps of any depth to 16 bits itself, and holds them in 32.
    top = 65535.0 if image.mode.startswith("I;16") or image.format == "PPM" else white
    if top is None or (image.mode == "F" and white is None):
        kind = "floating point" if image.mode == "F" else "32-bit"
        raise DataError(
            f"its pixels are {kind}, from {values.min():g} to {values.max():g}, and nothing says "
            f"which value is white: add {_whites(float(values.max()), image.mode == 'F')}"
        )
    if not (values.min() >= 0 and values.max() <= top):
        raise DataError(
            f"its pixels are from {values.min():g} to {values.max():g} and must be in 0..{top:g}: "
            f"add {_whites(float(values.max()), image.mode == 'F')}, or remove it"
        )
    if white is not None and top == white and not image.mode.startswith("I;16"):
        remark("white")
    scaled = np.rint(values * 255 / top)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        scaled[values == clear] = 255
    eight = Image.fromarray(scaled.astype(np.uint8))
    if "icc_profile" in image.info:
        eight.info["icc_profile"] = image.info["icc_profile"]
    return eight


def _whites(most: float, floating: bool) -> str:
    """Return the option that fits pixels up to `most`."""
    tops = (1, 255, 65535) if floating else (255, 65535)
    fitting = [top for top in tops if most <= top]
    return f"white={fitting[0]}" if fitting else f"white={most:g}"


def _crop(image: Image.Image, side: int) -> Image.Image:
    """Return the central `side` x `side` square."""
    width, height = image.size
    if side > min(width, height):
        raise DataError(f"crop={side} does not fit an image of {width} x {height} pixels")
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))
