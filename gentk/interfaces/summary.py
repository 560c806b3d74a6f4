"""The algebra of additive summaries.

A summary S of a set of samples is additive: S(A and B) = S(A) + S(B). That one property gives the data
side (streamed once), virtual batches (the gradient with respect to the total is handed to the parts)
and distributed runs (ranks are parts).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

__all__ = ["Summary"]


class Summary(ABC):
    """What a loss or metric keeps of a set of samples.

    Attributes:
        count: How many samples it has seen.
        format: Raised whenever what `store` returns changes its meaning (the order of features, say):
            part of the key under which summaries are cached.
        grows: Whether a summary of more samples is larger: such are added up in pairs, and pairs of
            pairs, so that they are copied a few times only; others one after another, which takes
            less memory.
    """

    count: int
    format: ClassVar[int] = 1
    grows: ClassVar[bool] = True

    @abstractmethod
    def __add__(self, other: Summary) -> Summary:
        """Return the summary of both sets; the two must share a pivot and a layout."""

    @abstractmethod
    def to_tensors(self) -> dict[str, Tensor]:
        """Return the additive tensors by name: those that gradients flow through."""

    @abstractmethod
    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """Return the same summary made of other tensors (leaves of a new graph, say)."""

    @abstractmethod
    def settled(self) -> Summary:
        """Return the summary detached and, for the data side, about its own best pivot."""

    @abstractmethod
    def store(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return tensors and JSON-able fields from which `restore` makes the summary again."""

    @classmethod
    @abstractmethod
    def restore(cls, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> Self:
        """Make a summary from what `store` returned."""

    @abstractmethod
    def to(self, device: torch.device) -> Self:
        """Return the summary on another device."""

    def share(self, gradient: Mapping[str, Tensor], start: int, stop: int) -> dict[str, Tensor]:
        """Return the gradient with respect to the part that holds samples `start` to `stop`.

        Args:
            gradient: Gradient with respect to this total's `to_tensors`.
            start: Index of the part's first sample in the order of addition.
            stop: Index after its last.

        For sums the gradient of every part is the total's; concatenations override this.
        """
        return dict(gradient)

    def detach(self) -> Self:
        """Return the summary without its graph."""
        return self.with_tensors({k: v.detach() for k, v in self.to_tensors().items()})
