"""Samplers: endless minibatches of indices that go on exactly where they stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import BadOption, CheckpointError, DataError
from ..seed import check_seed
from .permutation import permutation

__all__ = ["Sampler"]

_EPOCH = 1  # the first number of the key of epoch permutations; splits use another


class Sampler:
    """Endless minibatches of indices: epoch after epoch, each in a fresh seeded order.

    Minibatches run over the end of an epoch into the next: none is short, no image is dropped.
    The state is three integers, since the order of an epoch follows from the seed and its number.

    Args:
        count: Number of images.
        batch: Size of a minibatch; may exceed `count`.
        seed: Seed of the orders.

    Raises:
        DataError: When there are no images.
        BadOption: When the batch or the seed is out of range.
    """

    def __init__(self, count: int, batch: int, seed: int = 0) -> None:
        if count < 1:
            raise DataError("there are no images to draw minibatches from")
        if batch < 1:
            raise BadOption(f"batch={batch} is too small: it must be at least 1")
        check_seed(seed)
        self.count = count
        self.batch = batch
        self.seed = seed
        self._drawn = 0
        self._order: tuple[int, NDArray[np.int64]] | None = None

    @property
    def epoch(self) -> int:
        """The number of epochs completed so far."""
        return self._drawn // self.count

    def __iter__(self) -> Sampler:
        """Return the sampler itself: it never ends."""
        return self

    def __next__(self) -> Tensor:
        """Return the next minibatch of indices, (batch,) int64."""
        parts: list[NDArray[np.int64]] = []
        missing = self.batch
        while missing:
            epoch, start = divmod(self._drawn, self.count)
            part = self._epoch_order(epoch)[start : start + missing]
            parts.append(part)
            missing -= len(part)
            self._drawn += len(part)
        return torch.from_numpy(np.concatenate(parts))

    def upcoming(self) -> Iterator[Tensor]:
        """Yield the minibatches that will be drawn from now on, without drawing any."""
        other = Sampler(self.count, self.batch, self.seed)
        other.load_state_dict(self.state_dict())
        other._order = self._order
        yield from other

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order of one epoch; the last one asked for is kept."""
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, permutation(self.count, _EPOCH, self.seed, epoch))
        return self._order[1]

    def state_dict(self) -> dict[str, int]:
        """Return what resumes the sequence of indices, whatever the batch size."""
        return {"count": self.count, "seed": self.seed, "drawn": self._drawn}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken.

        Raises:
            CheckpointError: When the state belongs to a data set of another length.
        """
        if state["count"] != self.count:
            raise CheckpointError(
                f"the checkpoint was written with {state['count']} images and there are now "
                f"{self.count}: restore the data, or start a new run"
            )
        self.seed = int(state["seed"])
        self._drawn = int(state["drawn"])
        self._order = None
