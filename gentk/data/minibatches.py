"""Minibatches: endless batches of training images, or of their codes, on the device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..codec import Codec
from ..interfaces import Range
from ..transfer import to_device
from .imageset import ImageSet, to_unit
from .sampler import Sampler

__all__ = ["Minibatches"]

CHUNK = 256


class Minibatches:
    """Batches of samples in the order of a sampler; its state is the sampler's.

    Args:
        images: The data.
        batch: Samples per batch.
        seed: Seed of the order.
        codec: If samples are codes: what makes them of images. All are made once, here.
        device: Where batches are wanted.

    Attributes:
        range: The range of sample values.
    """

    def __init__(
        self,
        images: ImageSet,
        batch: int,
        seed: int,
        *,
        codec: Codec | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.images = images
        self.device = device or torch.device("cpu")
        self.sampler = Sampler(len(images), batch, seed)
        self.labels = images.labels
        self._parts: Sequence[slice] = [slice(None)]
        self._take = images.follow(self._plan)
        self.range: Range = "unit" if codec is None else codec.range
        self.codes: Tensor | None = None
        if codec is not None:
            chunks = (to_unit(chunk.to(self.device)) for chunk in images.chunks(CHUNK))
            with torch.no_grad():
                self.codes = torch.cat([codec.encode(chunk) for chunk in chunks])

    def __next__(self) -> Tensor:
        """Return the next batch, (batch, C, H, W) in `range`."""
        return self.at(next(self.sampler))

    def labelled(self) -> tuple[Tensor, Tensor | None]:
        """Return the next batch and its class indices, (batch,) int64; None without labels."""
        return next(self.drawn([slice(None)]))

    def drawn(self, parts: Sequence[slice]) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Draw the next batch and yield parts of it, with their class indices; None without labels.

        The others are not decoded, and later batches are decoded ahead in the parts asked for last.

        Args:
            parts: Rows of the batch.
        """
        self._parts = parts
        indices = next(self.sampler)
        for part in parts:
            own = indices[part]
            labels = None if self.labels is None else to_device(self.labels[own], self.device)
            yield self.at(own), labels

    def at(self, indices: Tensor) -> Tensor:
        """Return the samples at `indices`, (n,) int64."""
        if self.codes is not None:
            return self.codes[to_device(indices, self.device)]
        return to_unit(to_device(self._take(indices), self.device))

    def _plan(self) -> Iterator[NDArray[np.int64]]:
        """Yield the indices that will be asked for from now on."""
        for indices in self.sampler.upcoming():
            yield from (indices[part].numpy() for part in self._parts)

    def state_dict(self) -> dict[str, Any]:
        """Return what goes on with the same batches."""
        return self.sampler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.sampler.load_state_dict(state)
