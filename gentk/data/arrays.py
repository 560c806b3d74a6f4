"""Arrays: records whose pixels are in memory already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import DataError

__all__ = ["ArrayRecords", "class_indices"]


class ArrayRecords:
    """Records of an array of images.

    Args:
        images: (N, H, W), (N, H, W, C) or (N, C, H, W) with 1, 3 or 4 channels; uint8, other
            integers in 0..255, or booleans or floating point in [0, 1], which are scaled to 0..255.
        labels: One class index per image, or None.
        classes: The names of the classes, or None.
        source: What the array is called in messages.

    Raises:
        DataError: When the array is not of this form.
    """

    def __init__(
        self,
        images: NDArray[np.generic],
        *,
        labels: Sequence[int] | NDArray[np.generic] | None = None,
        classes: list[str] | None = None,
        source: str = "array",
    ) -> None:
        self._images = _to_uint8(_channels_last(images, source), source)
        count = len(self._images)
        self.labels = None if labels is None else class_indices(labels, count, source)
        self.classes = classes

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def decode(self, index: int) -> Image.Image:
        """Return image `index`."""
        return Image.fromarray(self._images[index])

    def name(self, index: int) -> str:
        """Return `row INDEX`."""
        return f"row {index}"


def class_indices(
    labels: Sequence[int] | NDArray[np.generic], count: int, source: str
) -> list[int]:
    """Return the class indices of `count` images as a list.

    Args:
        labels: One integer an image.
        count: How many images there are.
        source: What they are called in messages.

    Raises:
        DataError: They are no integers, or not one an image.
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise DataError(f"{source} has labels of type {array.dtype}: labels must be integers")
    if array.size != count:
        raise DataError(
            f"{source} has {count} images and {array.size} labels: there must be one label per image"
        )
    if array.ndim == 0 or len(array) != count:
        raise DataError(
            f"{source} has labels of the shape {array.shape} and {count} images: there must be one "
            "label per image"
        )
    return [int(label) for label in array.ravel()]


def _channels_last(images: NDArray[np.generic], source: str) -> NDArray[np.generic]:
    """Return `images` as (N, H, W) if grey, else as (N, H, W, C)."""
    if images.ndim == 4:
        if images.shape[3] not in (1, 3, 4) and images.shape[1] in (1, 3, 4):
            images = images.transpose(0, 2, 3, 1)
        if images.shape[3] == 1:
            images = images[..., 0]
    if images.ndim >= 3 and 0 in images.shape[1:]:
        raise DataError(f"{source} has the shape {images.shape}: its images have no pixels")
    if images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (3, 4)):
        return images
    raise DataError(
        f"{source} has the shape {images.shape}: images must be (N, H, W), (N, H, W, C) or "
        f"(N, C, H, W) with 1, 3 or 4 channels"
    )


def _to_uint8(images: NDArray[np.generic], source: str) -> NDArray[np.uint8]:
    """Return `images` as uint8 in 0..255."""
    if images.dtype == np.uint8:
        return images.view(np.uint8)
    if images.dtype.kind not in "biuf":
        raise DataError(f"{source} holds {images.dtype} values: images must be numbers")
    floating = images.dtype.kind in "bf"
    top = 1 if floating else 255
    numbers = images.astype(np.float64 if floating else np.int64)
    if numbers.size and not (numbers.min() >= 0 and numbers.max() <= top):
        raise DataError(
            f"{source} holds {images.dtype} values from {numbers.min()} to {numbers.max()}: "
            f"floating point images must be in [0, 1] and integers in 0..255"
        )
    scaled = np.rint(numbers * 255) if floating else numbers
    return scaled.astype(np.uint8)
