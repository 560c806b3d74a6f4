"""Pictures of a report: some of a run's sample grids, in as few bytes as they are given."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from ..data.picture import read_image
from ..files import read_bytes

__all__ = ["Embedded", "chosen", "embedded"]

LARGEST: Final = 2**26
"""Bytes of a file that is still taken for a picture."""

LONGEST: Final = 16_383
"""Pixels of a side that WebP can hold."""

QUALITY: Final = 85
"""Of WebP, where it is not lossless."""


@dataclass(frozen=True)
class Embedded:
    """A picture as a page holds it.

    Attributes:
        data: An image file.
        form: Its format, as in `image/png`.
        remark: What was done to make it small, if it is not the picture pixel for pixel.
    """

    data: bytes
    form: str
    remark: str = ""


def chosen(paths: Sequence[Path], count: int) -> list[Path]:
    """Return at most `count` of some paths: the last, the first, and others evenly between."""
    if count >= len(paths):
        return list(paths)
    if count == 1:
        return [paths[-1]]
    last = len(paths) - 1
    return [paths[round(place * last / (count - 1))] for place in range(count)]


def embedded(path: Path, budget: int) -> Embedded | None:
    """Return a picture in at most `budget` bytes; None if that is not even a small one's.

    A PNG file that fits stays as it is; else it becomes WebP, without loss where that fits, and is
    made smaller by halves.

    Raises:
        OSError: It is no picture, or cannot be read.
    """
    data = read_bytes(path, LARGEST)
    image = read_image(data)
    if len(data) <= budget and image.format in (None, "PNG") and data[1:4] == b"PNG":
        return Embedded(data, "png")
    plain = image.convert("RGB")
    remark = "compressed"
    if max(plain.size) <= LONGEST:
        exact = _webp(plain, lossless=True)
        if len(exact) <= budget:
            return Embedded(exact, "webp")
    while max(plain.size) > LONGEST:
        # A sheet one image wide is reduced no more than it must be.
        plain = plain.reduce(2)
        remark = f"reduced to {plain.width} x {plain.height} pixels"
    while min(plain.size) > 0:
        lossy = _webp(plain, lossless=False)
        if len(lossy) <= budget:
            return Embedded(lossy, "webp", remark)
        plain = plain.reduce(2) if min(plain.size) >= 32 else Image.new("RGB", (0, 0))
        remark = f"reduced to {plain.width} x {plain.height} pixels"
    return None


def _webp(image: Image.Image, *, lossless: bool) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=lossless, quality=QUALITY, method=4)
    return buffer.getvalue()
