"""Samples: the summary that keeps everything, for kernels, neighbours and whatever has no sums.

Adding two of them is concatenation, so what is true of sums is true here: the parts of a virtual batch
are put together, and each is handed its own rows of the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from ..interfaces import Features, Summary
from ..transfer import to_device
from .checking import alike, check_layouts

__all__ = ["Samples"]


@dataclass(frozen=True)
class Samples(Summary):
    """The features of N samples, all layers side by side.

    Attributes:
        rows: (N, D), float32 (float64 if the features are).
        layout: (layer, number of its features), in order.
        labels: The class of each, (N,) int64, -1 for none: of losses and metrics that go by classes.
    """

    rows: Tensor
    layout: tuple[tuple[str, int], ...]
    labels: Tensor | None = None

    @classmethod
    def of(cls, features: Features) -> Samples:
        """Keep one chunk, differentiably.

        Args:
            features: Layer -> (N, ...); flattened as torch does, maps in C, H, W order.
        """
        rows = [value.flatten(1) for value in alike(features).values()]
        layout = tuple((name, row.shape[1]) for name, row in zip(features, rows, strict=True))
        wide = torch.cat(rows, dim=1) if len(rows) > 1 else rows[0]
        return cls(wide if wide.dtype == torch.float64 else wide.float(), layout)

    @property
    def count(self) -> int:  # type: ignore[override]
        """How many samples there are."""
        return len(self.rows)

    @property
    def sizes(self) -> list[int]:
        """The number of features of each layer."""
        return [size for _, size in self.layout]

    def take(self, indices: Tensor) -> Samples:
        """Return the samples at `indices`, (n,) int64."""
        labels = (
            None if self.labels is None else self.labels[to_device(indices, self.labels.device)]
        )
        return replace(self, rows=self.rows[to_device(indices, self.rows.device)], labels=labels)

    def __add__(self, other: Summary) -> Samples:
        if not isinstance(other, Samples):
            return NotImplemented
        check_layouts(self.layout, other.layout)
        labels = None
        if self.labels is not None and other.labels is not None:
            labels = torch.cat([self.labels, other.labels])
        return replace(self, rows=torch.cat([self.rows, other.rows]), labels=labels)

    def to_tensors(self) -> dict[str, Tensor]:
        """Return `rows`."""
        return {"rows": self.rows}

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """Return other samples of the same layout."""
        return replace(self, rows=tensors["rows"])

    def settled(self) -> Samples:
        """Return the samples without their graph."""
        return self.detach()

    def store(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the rows, labels if there are, and the layout."""
        tensors = {"rows": self.rows.cpu().contiguous()}
        if self.labels is not None:
            tensors["labels"] = self.labels.cpu()
        return tensors, {"layout": [list(row) for row in self.layout]}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> Self:
        """Make samples from what `store` returned."""
        layout = tuple((name, size) for name, size in fields["layout"])
        return cls(tensors["rows"], layout, tensors.get("labels"))

    def to(self, device: torch.device) -> Self:
        """Return the samples on another device."""
        return replace(self, rows=self.rows.to(device))

    def share(self, gradient: Mapping[str, Tensor], start: int, stop: int) -> dict[str, Tensor]:
        """Return the rows of the gradient that belong to samples `start` to `stop`."""
        return {"rows": gradient["rows"][start:stop]}
