"""Pixels: uint8 images, held in memory or decoded each time they are used."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import DataError
from ..interfaces import ImageShape, Records
from .ahead import DEPTH, Ahead, Plan
from .decoder import Decoder
from .sizes import in_words

__all__ = ["LazyPixels", "MemoryPixels", "Pixels", "Take", "stored_fingerprint", "workers"]

Take = Callable[[Tensor], Tensor]
"""Returns the images at indices, (n, C, H, W) uint8."""


def workers() -> int:
    """Return the number of threads that decode."""
    return min(8, os.cpu_count() or 1)


class Pixels(Protocol):
    """N images of one shape.

    Attributes:
        shape: The shape of one image.
        extremes: The smallest and the largest value, 0..255.
        positions: The record that each image comes from, (N,) int64.
        skipped: The names of damaged images, which are not among these.
        where: Where they are, and how many bytes they have decoded, in a few words.
        notes: What people should know of that, in sentences.
    """

    shape: ImageShape
    extremes: tuple[int, int]
    positions: Tensor
    skipped: list[str]
    where: str
    notes: list[str]

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def batch(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Return images, (len(indices), C, H, W) uint8."""
        ...

    def follow(self, plan: Plan) -> Take:
        """Return what gives images that are asked for in the order of a plan."""
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
        self.where = f"{in_words(images.nbytes)} in memory"
        self.notes: list[str] = []

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def batch(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Return a copy of the images at `indices`."""
        return self._images[torch.as_tensor(indices, dtype=torch.int64)]

    def follow(self, plan: Plan) -> Take:
        """Return `batch`: nothing is gained by a plan."""
        return self.batch

    def fingerprint(self) -> str:
        """Return a digest of the shape and of every pixel."""
        digest = blake2b(repr(tuple(self._images.shape)).encode(), digest_size=16)
        digest.update(self._images.contiguous().numpy().reshape(-1).data)
        return digest.hexdigest()


class LazyPixels:
    """Images that are decoded when they are used, for sets larger than memory.

    They were all decoded once before, so that damaged ones are known and are not among them.

    Args:
        decoder: What decodes a record; has a shape.
        chosen: The records, (N,) int64.
        probed: Some of the images, decoded; they stand for the content in `fingerprint`.
        memory: Bytes of images that may be decoded ahead of their use.
        extremes: The smallest and the largest value of all images.
        skipped: The names of damaged images, which are not among `chosen`.
    """

    def __init__(
        self,
        decoder: Decoder,
        chosen: NDArray[np.int64],
        probed: Sequence[NDArray[np.uint8]],
        *,
        memory: int,
        extremes: tuple[int, int],
        skipped: Sequence[str] = (),
    ) -> None:
        assert decoder.shape is not None
        self.shape = decoder.shape
        self.extremes = extremes
        self.skipped = list(skipped)
        self.positions = torch.from_numpy(chosen.copy())
        self._decoder = decoder
        self._chosen = chosen
        self._probed = probed
        size = in_words(len(chosen) * int(np.prod(self.shape)))
        self.where = f"{size} decoded as they are used"
        self.notes = [
            f"{decoder.name} has {size} of decoded images, more than the {in_words(memory)} of memory=, "
            f"so they are decoded each time they are used, up to {in_words(min(memory, DEPTH))} ahead"
        ]
        place = getattr(decoder.records, "place", None)
        if place is not None:
            self.notes.append(
                f"encoded images of {decoder.name} were unpacked to {place}, where each can be read by "
                f"itself; remove that folder when you like"
            )
        self._memory = memory
        self._pool: ThreadPoolExecutor | None = None
        self._followers: weakref.WeakSet[Ahead] = weakref.WeakSet()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._chosen)

    def batch(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Decode the images at `indices`.

        Raises:
            DataError: When one of them is damaged now, which it was not when they were opened.
        """
        wanted = torch.as_tensor(indices, dtype=torch.int64).tolist()
        self._pool = self._pool or ThreadPoolExecutor(workers(), thread_name_prefix="gentk-decode")
        images = np.empty((len(wanted), *self.shape), dtype=np.uint8)
        for row, image in enumerate(self._pool.map(self._image, wanted)):
            images[row] = image
        return torch.from_numpy(images)

    def follow(self, plan: Plan) -> Take:
        """Return what gives images that threads have decoded before they are asked for.

        All that follow some plan share the memory.
        """
        followers, memory = self._followers, self._memory
        ahead = Ahead(
            self._image,
            tuple(self.shape),
            lambda: memory // max(1, sum(bool(other.waiting) for other in followers)),
            workers(),
            plan,
        )
        followers.add(ahead)
        return lambda indices: torch.from_numpy(ahead.take(indices.numpy()))

    def _image(self, index: int) -> NDArray[np.uint8]:
        """Return image `index`."""
        image = self._decoder(int(self._chosen[index]))
        if image is None:
            raise DataError(
                f"{self._decoder.name}: image "
                f"{self._decoder.records.name(int(self._chosen[index]))} could be decoded when the "
                f"data were opened and cannot be now: check that the data are still there, and type "
                f"the command again"
            )
        return image

    def fingerprint(self) -> str:
        """Return a digest of the names of all images, of their stored sizes where the records know
        them (`stored_size`), and of the pixels of those that were decoded to learn the shape.
        """
        return stored_fingerprint(self._decoder.records, self.shape, self._chosen, self._probed)


def stored_fingerprint(
    records: Records,
    shape: ImageShape,
    chosen: NDArray[np.int64],
    probed: Sequence[NDArray[np.uint8]],
) -> str:
    """Return the digest of `LazyPixels.fingerprint` of some records."""
    digest = blake2b(repr((len(chosen), tuple(shape))).encode(), digest_size=16)
    size = getattr(records, "stored_size", None)
    for index in chosen.tolist():
        line = f"{records.name(index)}\0{size(index) if size else ''}\n"
        digest.update(line.encode(errors="surrogateescape"))
    for image in probed:
        digest.update(image.tobytes())
    return digest.hexdigest()
