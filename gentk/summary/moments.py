"""Moment sums: the count, sums and sums of squares (or products) of features about a fixed pivot.

For samples f_1..f_n of D features and a pivot p in R^D

    s = sum_i (f_i - p),    q = sum_i (f_i - p)^2  or  sum_i (f_i - p)(f_i - p)^T

    mean = p + s / n,    variance = (q - s^2 / n) / (n - ddof).

Chunk sums are float32; about the data mean they do not cancel. From here on everything is float64, so
that a million small chunks add up and a step of 1e-5 on a statistic of 1e4 is not lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import torch
from torch import Tensor

from ..interfaces import Features
from .base import Summary

__all__ = ["MomentSums"]

Second = Literal["none", "diagonal", "full"]


@dataclass(frozen=True)
class MomentSums(Summary):
    """Sums of D features, all layers one after another in C, H, W order.

    Attributes:
        count: n.
        pivot: p, (D,) float32, without gradient.
        sums: s, (D,) float64.
        second: q, (D,) or (D, D) float64; None if only means are wanted.
        layout: (layer, number of its features), in order.
    """

    count: int
    pivot: Tensor
    sums: Tensor
    second: Tensor | None
    layout: tuple[tuple[str, int], ...]

    @classmethod
    def of(
        cls, features: Features, second: Second = "diagonal", like: Summary | None = None
    ) -> MomentSums:
        """Summarise one chunk, differentiably.

        Args:
            features: Layer -> (N, ...).
            second: Which second moments to keep.
            like: A summary whose pivot to take; without one, the chunk's own mean.
        """
        rows = {name: _Rows(value) for name, value in features.items()}
        layout = tuple((name, row.size) for name, row in rows.items())
        if isinstance(like, MomentSums):
            pivots = list(like.pivot.split([size for _, size in layout]))
        else:
            pivots = [row.logical(row.values.detach().mean(0)) for row in rows.values()]
        count = next(iter(features.values())).shape[0]
        pivot = like.pivot if isinstance(like, MomentSums) else torch.cat(pivots)
        if second == "full":
            centred = torch.cat([r.logical(r.values) for r in rows.values()], dim=1) - pivot
            # Products in float64: a covariance of fewer samples than features is singular, and
            # rounding it in float32 would invent directions.
            wide = _double(centred)
            return cls(count, pivot, wide.sum(0), wide.T @ wide, layout)
        parts = [
            _PivotSums.apply(row.values, row.memory(part), second == "diagonal")
            for row, part in zip(rows.values(), pivots, strict=True)
        ]
        sums = [row.logical(part[0]) for row, part in zip(rows.values(), parts, strict=True)]
        total = _double(torch.cat(sums))
        if second == "none":
            return cls(count, pivot, total, None, layout)
        squares = [row.logical(part[1]) for row, part in zip(rows.values(), parts, strict=True)]
        return cls(count, pivot, total, _double(torch.cat(squares)), layout)

    def __add__(self, other: Summary) -> MomentSums:
        if not isinstance(other, MomentSums):
            return NotImplemented
        if self.layout != other.layout:
            raise ValueError(f"summaries of other features: {self.layout} and {other.layout}")
        if self.pivot is not other.pivot and not torch.equal(self.pivot, other.pivot):
            other = other.about(self.pivot)
        second = None
        if self.second is not None and other.second is not None:
            second = self.second + other.second
        return replace(
            self, count=self.count + other.count, sums=self.sums + other.sums, second=second
        )

    def to_tensors(self) -> dict[str, Tensor]:
        """Return `sums` and, where kept, `second`."""
        tensors = {"sums": self.sums}
        return tensors if self.second is None else tensors | {"second": self.second}

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> MomentSums:
        """Return the same summary made of other sums."""
        return replace(self, sums=tensors["sums"], second=tensors.get("second"))

    def about(self, pivot: Tensor) -> MomentSums:
        """Return the same summary about another pivot, exactly (float64).

        With e = p - p': s' = s + n e, q' = q + e s^T + s e^T + n e e^T.
        """
        shift = _double(self.pivot) - _double(pivot)
        sums = self.sums + self.count * shift
        second = self.second
        if second is not None and second.dim() == 1:
            second = second + 2 * shift * self.sums + self.count * shift.square()
        elif second is not None:
            cross = torch.outer(shift, self.sums)
            second = second + cross + cross.T + self.count * torch.outer(shift, shift)
        return replace(self, pivot=pivot, sums=sums, second=second)

    def settled(self) -> MomentSums:
        """Return the summary detached and about its own mean, rounded to float32."""
        plain = self.with_tensors({k: v.detach() for k, v in self.to_tensors().items()})
        return plain.about(plain.mean().to(self.pivot.dtype))

    def store(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return pivot and sums, and the count and layout."""
        tensors = {"pivot": self.pivot, **self.to_tensors()}
        fields = {"count": self.count, "layout": [list(row) for row in self.layout]}
        return {k: v.cpu().contiguous() for k, v in tensors.items()}, fields

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> Self:
        """Make a summary from what `store` returned."""
        layout = tuple((name, size) for name, size in fields["layout"])
        return cls(
            fields["count"], tensors["pivot"], tensors["sums"], tensors.get("second"), layout
        )

    def to(self, device: torch.device) -> Self:
        """Return the summary on another device; float64 stays on the CPU where `device` has none."""
        wide = torch.device("cpu") if device.type == "mps" else device
        return replace(
            self,
            pivot=self.pivot.to(device),
            sums=self.sums.to(wide),
            second=None if self.second is None else self.second.to(wide),
        )

    def mean(self) -> Tensor:
        """Return the mean of each feature, (D,) float64."""
        return _double(self.pivot) + self.sums / self.count

    def covariance(self, unbiased: bool = True) -> Tensor:
        """Return the variances (D,) or the covariance matrix (D, D), whichever is kept; float64.

        Args:
            unbiased: Divide by n - 1 rather than by n.
        """
        if self.second is None:
            raise ValueError("this summary keeps means only")
        if self.second.dim() == 1:
            centred = self.second - self.sums.square() / self.count
        else:
            centred = self.second - torch.outer(self.sums, self.sums) / self.count
        return centred / (self.count - 1 if unbiased else self.count)


def _double(tensor: Tensor) -> Tensor:
    """Return the tensor in float64, on the CPU where its device has none."""
    return tensor.cpu().double() if tensor.device.type == "mps" else tensor.double()


class _Rows:
    """A feature as rows (N, D) in memory order, without copying a channels-last map.

    Channels-last maps are worked on as they lie; only vectors of D numbers are ever re-ordered.
    """

    def __init__(self, feature: Tensor) -> None:
        self.shape = feature.shape[1:]
        self.size = self.shape.numel()
        self.swapped = feature.dim() == 4 and not feature.is_contiguous()
        if self.swapped:
            feature = feature.permute(0, 2, 3, 1)
        # Half precision is widened before anything is added up.
        wide = feature if feature.dtype == torch.float64 else feature.float()
        self.values = wide.reshape(feature.shape[0], -1)

    def logical(self, rows: Tensor) -> Tensor:
        """Bring (..., D) from memory order to C, H, W order."""
        if not self.swapped:
            return rows
        channels, height, width = self.shape
        maps = rows.reshape(*rows.shape[:-1], height * width, channels)
        return maps.transpose(-1, -2).reshape(rows.shape)

    def memory(self, rows: Tensor) -> Tensor:
        """Bring (..., D) from C, H, W order to memory order."""
        if not self.swapped:
            return rows
        channels, height, width = self.shape
        maps = rows.reshape(*rows.shape[:-1], channels, height * width)
        return maps.transpose(-1, -2).reshape(rows.shape)


class _PivotSums(torch.autograd.Function):
    """Rows f (N, D), pivot p -> sum_i (f_i - p), sum_i (f_i - p)^2, in few passes over memory.

    Backward is one fused pass: df = g1 + 2 g2 (f - p). Autograd's own composition would keep f - p and
    its square, and walk over them four more times.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, pivot: Tensor, squares: bool) -> tuple[Tensor, ...]:
        ctx.save_for_backward(rows, pivot)
        ctx.squares = squares
        centred = rows - pivot
        ones = centred.new_ones(centred.shape[0])
        # A product with ones is a sum over samples, about twice as fast as sum(0) on CPUs.
        sums = ones @ centred
        if not squares:
            return (sums,)
        return sums, ones @ centred.square_()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None]:
        rows, pivot = ctx.saved_tensors
        if not ctx.squares:
            return grads[0].expand_as(rows), None, None
        slope = 2 * grads[1]
        return torch.addcmul(grads[0] - slope * pivot, rows, slope), None, None
