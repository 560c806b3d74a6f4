"""Colour: images with an ICC profile brought to sRGB, as every browser shows them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image, ImageCms

__all__ = ["to_srgb"]

TOLERANCE: Final = 2
"""A profile that moves no colour by more than this, of 255, is sRGB: such pixels stay as they are."""

_SPACES: Final = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""ICC's name of a colour space -> Pillow's mode."""


def to_srgb(image: Image.Image, remark: Callable[[str], None]) -> Image.Image:
    """Return `image` with its profile's colours as sRGB; one whose profile is sRGB as it is.

    Grey images stay grey, and transparency stays what it is.

    Args:
        image: An 8-bit image with `icc_profile` in its info.
        remark: Called with `converted` or `unreadable` where that is so.
    """
    profile = bytes(image.info["icc_profile"] or b"")
    mode, transform = _transform(profile)
    if mode is None:
        remark("unreadable")
        return image
    if transform is None:
        return image
    if (image.mode == "CMYK") != (mode == "CMYK"):
        remark("unreadable")  # The profile of another kind of image.
        return image
    remark("converted")
    grey = image.mode in ("1", "L", "LA", "La")
    alpha = None
    if image.mode != "CMYK" and image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    done = ImageCms.applyTransform(image.convert("RGB").convert(mode), transform)
    assert done is not None
    if alpha is not None:
        done.putalpha(alpha)
        return done.convert("LA") if grey else done
    return done.convert("L") if grey else done


@functools.lru_cache(maxsize=64)
def _transform(profile: bytes) -> tuple[str | None, Any]:
    """Return the mode that a profile is for and what converts it; None for none of either."""
    try:
        own = ImageCms.ImageCmsProfile(BytesIO(profile))
        mode = _SPACES.get(own.profile.xcolor_space)
        if mode is None:
            return None, None
        transform = ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), mode, "RGB")
        return mode, None if _is_identity(mode, transform) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None, None


def _is_identity(mode: str, transform: Any) -> bool:
    """Say whether a transform leaves all colours of a lattice as they are, nearly."""
    if mode == "CMYK":
        return False
    steps = np.linspace(0, 255, 16 if mode == "RGB" else 256).round().astype(np.uint8)
    axes = [steps] * (3 if mode == "RGB" else 1)
    colours = np.stack(np.meshgrid(*axes), axis=-1).reshape(1, -1, len(axes))
    before = Image.fromarray(colours if mode == "RGB" else colours[..., 0])
    after = ImageCms.applyTransform(before, transform)
    assert after is not None
    moved = np.asarray(after).astype(int) - np.asarray(before.convert("RGB")).astype(int)
    return int(np.abs(moved).max()) <= TOLERANCE
