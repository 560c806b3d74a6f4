"""Totals: the gradient of an objective of whole batches, handed to the chunks it is made of.

Summaries are additive, S = S_1 + ... + S_K over chunks, so with an objective D of totals

    dD / dtheta = sum_k (dD / dS) (dS_k / dtheta):

a first pass without a graph adds the chunks up, dD / dS is taken at the total, and a second pass goes
backward from each chunk's summary with its share of it. What one graph over the same chunks would give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from ..summary import Summary

__all__ = ["Slopes"]

T = TypeVar("T")


class Slopes:
    """The gradient of an objective with respect to totals.

    Args:
        totals: The summaries of everything, constants.
        wanted: Which of them have a gradient; by default all.
    """

    def __init__(self, totals: Sequence[Summary], wanted: Sequence[bool] | None = None) -> None:
        self.totals = list(totals)
        self.wanted = [True] * len(self.totals) if wanted is None else list(wanted)
        self.gradients: list[dict[str, Tensor]] = []

    def descend(self, compare: Callable[[list[Summary]], tuple[Tensor, T]]) -> T:
        """Take the gradient of the first of what `compare` makes of the totals; return the second."""
        leaves = [
            {k: v.detach().requires_grad_(on) for k, v in one.to_tensors().items()}
            for one, on in zip(self.totals, self.wanted, strict=True)
        ]
        objective, rest = compare(
            [one.with_tensors(own) for one, own in zip(self.totals, leaves, strict=True)]
        )
        asked = [v for own in leaves for v in own.values() if v.requires_grad]
        slopes = iter(torch.autograd.grad(objective, asked, materialize_grads=True))
        self.gradients = [
            {name: next(slopes) for name, v in own.items() if v.requires_grad} for own in leaves
        ]
        return rest

    def shares(
        self, parts: Sequence[Summary], start: int, stop: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return what to go backward from, and the gradients to go with.

        Args:
            parts: The summaries of one chunk, in the order of the totals.
            start: The number of its first sample in the order of addition.
            stop: That after its last.
        """
        tensors: list[Tensor] = []
        gradients: list[Tensor] = []
        for total, gradient, part in zip(self.totals, self.gradients, parts, strict=True):
            if not gradient:
                continue
            own = total.share(gradient, start, stop)
            for name, value in part.to_tensors().items():
                if value.requires_grad:
                    tensors.append(value)
                    gradients.append(own[name])
        return tensors, gradients
