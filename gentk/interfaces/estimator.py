"""Estimators: the model's statistics, followed over steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from . import returned
from .promise import Promising, promises
from .values import StatisticKind, Statistics

__all__ = ["Estimator"]


class Estimator(nn.Module, Promising, ABC):
    """Batch statistics -> tracked statistics of the model's distribution.

    All state lives in buffers, so that `state_dict` alone resumes an estimator; a constructor takes
    options only and `start` makes the buffers. `forward` is called once per optimiser step; in eval
    mode it does not move. The value it returns is the tracked one, its gradient goes straight
    through to the batch's statistics (`straight_through`).

    Attributes:
        accepts: The kinds of statistic it can track.
        remembers: Whether it keeps anything of earlier steps. Where features are those of a critic in
            training, what was kept is of other features than the next step's: such are refused there.
        fills: Whether a step's work grows until as much is kept as there is room for: a budget in
            operations is counted in a step after `fill`, and holds for those that come then.
        seeding: Number of generated samples that are summarised before the first step and given to
            `start`; 0 for none.
        kinds: The kind of each statistic that `start` is about to be given, by name, set before it; one
            that is not named is `real`.
    """

    _kind = "estimator"

    accepts: ClassVar[frozenset[StatisticKind]] = frozenset({"real", "psd"})
    remembers: ClassVar[bool] = True
    fills: ClassVar[bool] = False
    seeding: int = 0
    kinds: Mapping[str, StatisticKind] = MappingProxyType({})

    @abstractmethod
    def start(self, data: Statistics, seed: Statistics | None = None) -> None:
        """Make the buffers, given the data's statistics and, with `seeding`, the model's."""

    @promises(returned.tracked)
    @abstractmethod
    def forward(self, model: Statistics, data: Statistics) -> Statistics:
        """Take in one batch's statistics and return the tracked ones."""

    def fill(self) -> None:
        """Fill what `fills` over steps, with whatever; the state is put back afterwards."""

    def following(self, prefix: str) -> set[str]:
        """Return the statistics that `start` has made a buffer for, named `prefix` and the statistic."""
        return {name.removeprefix(prefix) for name in self._buffers if name.startswith(prefix)}

    @staticmethod
    def straight_through(tracked: Tensor, batch: Tensor, scale: float) -> Tensor:
        """Return the value of `tracked` with the gradient of `scale * batch`."""
        passed: Tensor = _StraightThrough.apply(tracked, batch, scale)
        return passed


class _StraightThrough(torch.autograd.Function):
    """Forward is the first argument, backward goes to the second, scaled."""

    @staticmethod
    def forward(ctx: Any, tracked: Tensor, batch: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return tracked.view_as(tracked)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, None]:
        return None, grads[0] if ctx.scale == 1 else ctx.scale * grads[0], None
