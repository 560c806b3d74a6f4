"""Pixels: uint8 images, held in memory or decoded each time they are used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import DataError
from ..interfaces import ImageShape
from .decoder import Decoder

__all__ = ["LazyPixels", "MemoryPixels", "Pixels", "workers"]

_PATIENCE: Final = 100  # damaged images in a row before lazy pixels conclude that the disk is gone


def workers() -> int:
    """Return the number of threads that decode."""
    return min(8, os.cpu_count() or 1)


class Pixels(Protocol):
    """N images of one shape.

    Attributes:
        shape: The shape of one image.
        extremes: The smallest and the largest value, 0..255.
    """

    shape: ImageShape
    extremes: tuple[int, int]

    @property
    def positions(self) -> Tensor:
        """Return the record that each image comes from, (N,) int64."""
        ...

    @property
    def skipped(self) -> list[str]:
        """Return the names of the damaged images found so far."""
        ...

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def batch(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Return images, (len(indices), C, H, W) uint8."""
        ...

    def fingerprint(self) -> str:
        """Return a digest of the content."""
        ...


class MemoryPixels:
    """Images in memory.

    Args:
        images: (N, C, H, W) uint8.
        positions: The record that each image comes from; None for 0, ..., N - 1.
        skipped: The names of damaged images, which are not among `images`.
    """

    def __init__(
        self,
        images: Tensor,
        *,
        positions: Tensor | None = None,
        skipped: Sequence[str] = (),
    ) -> None:
        if images.dtype != torch.uint8 or images.ndim != 4 or not len(images):
            raise DataError(
                f"images must be a (N, C, H, W) tensor of uint8 with N > 0, not "
                f"{tuple(images.shape)} of {images.dtype}"
            )
        self._images = images
        self.positions = torch.arange(len(images)) if positions is None else positions
        self.skipped = list(skipped)
        self.shape = ImageShape(*images.shape[1:])
        self.extremes = (int(images.min()), int(images.max()))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def batch(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Return a copy of the images at `indices`."""
        return self._images[torch.as_tensor(indices, dtype=torch.int64)]

    def fingerprint(self) -> str:
        """Return a digest of the shape and of every pixel."""
        digest = blake2b(repr(tuple(self._images.shape)).encode(), digest_size=16)
        digest.update(self._images.contiguous().numpy().reshape(-1).data)
        return digest.hexdigest()


class LazyPixels:
    """Images that are decoded when they are used, for sets larger than memory.

    A damaged image is replaced by the next good one, so the length is known without decoding all;
    `positions` and `skipped` tell what has been found so far.

    Args:
        decoder: What decodes a record; has a shape.
        shape: The shape of one image.
        chosen: The records that the view takes.
        probed: Some of the images, decoded; they stand for the content in `fingerprint`.
    """

    def __init__(
        self,
        decoder: Decoder,
        shape: ImageShape,
        chosen: NDArray[np.int64],
        probed: Sequence[NDArray[np.uint8]],
    ) -> None:
        self.shape = shape
        self.extremes = (min(int(a.min()) for a in probed), max(int(a.max()) for a in probed))
        self._decoder = decoder
        self._chosen = chosen
        self._probed = probed
        self._found: dict[int, int] = {}  # index of a damaged image -> index of its substitute
        self._pool: ThreadPoolExecutor | None = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._chosen)

    @property
    def positions(self) -> Tensor:
        """Return the record that each image comes from, as far as it is known."""
        positions = torch.from_numpy(self._chosen.copy())
        for index, substitute in list(self._found.items()):
            positions[index] = int(self._chosen[substitute])
        return positions

    @property
    def skipped(self) -> list[str]:
        """Return the names of the damaged images found so far."""
        return [self._decoder.records.name(int(self._chosen[i])) for i in sorted(self._found)]

    def batch(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Decode the images at `indices`."""
        wanted = torch.as_tensor(indices, dtype=torch.int64).tolist()
        self._pool = self._pool or ThreadPoolExecutor(workers(), thread_name_prefix="gentk-decode")
        images = np.empty((len(wanted), *self.shape), dtype=np.uint8)
        for row, image in enumerate(self._pool.map(self._image, wanted)):
            images[row] = image
        return torch.from_numpy(images)

    def _image(self, index: int) -> NDArray[np.uint8]:
        """Return image `index`, or the next good one."""
        count = len(self._chosen)
        index = range(count)[index]
        for step in range(min(count, _PATIENCE)):
            substitute = (index + step) % count
            if substitute in self._found:
                continue
            image = self._decoder(int(self._chosen[substitute]))
            if image is not None:
                for damaged in range(index, index + step):
                    self._found[damaged % count] = substitute
                return image
        first = self._decoder.records.name(int(self._chosen[index]))
        raise DataError(
            f"{self._decoder.name}: {min(count, _PATIENCE)} images in a row cannot be decoded, "
            f"the first is {first}: check that the data are still there"
        )

    def fingerprint(self) -> str:
        """Return a digest of the names of all images, of their stored sizes where the records know
        them (`stored_size`), and of the pixels of those that were decoded at opening.
        """
        digest = blake2b(repr((len(self), tuple(self.shape))).encode(), digest_size=16)
        records = self._decoder.records
        size = getattr(records, "stored_size", None)
        for index in self._chosen.tolist():
            digest.update(f"{records.name(index)}\0{size(index) if size else ''}\n".encode())
        for image in self._probed:
            digest.update(image.tobytes())
        return digest.hexdigest()
