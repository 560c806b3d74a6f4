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
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from ..interfaces import Features
from .base import Summary

__all__ = ["MomentSums"]

Second = Literal["none", "diagonal", "full"]


@dataclass(frozen=True)
class MomentSums(Summary):
    """Sums of D features, all layers one after another, maps in H, W, C order.

    Attributes:
        count: n.
        pivot: p, (D,) float32, without gradient.
        sums: s, (D,) float64.
        second: q, (D,) or (D, D) float64; None if only means are wanted.
        layout: (layer, number of its features), in order.
    """

    format: ClassVar[int] = 2

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
        rows = [_rows(value) for value in features.values()]
        sizes = [row.shape[1] for row in rows]
        layout = tuple(zip(features, sizes, strict=True))
        if isinstance(like, MomentSums):
            pivot = like.pivot
        else:
            pivot = torch.cat([row.detach().mean(0) for row in rows])
        count = rows[0].shape[0]
        if second == "full":
            # Products in float64: a covariance of fewer samples than features is singular, and
            # rounding it in float32 would invent directions.
            wide = _double(torch.cat(rows, dim=1) - pivot)
            return cls(count, pivot, wide.sum(0), wide.T @ wide, layout)
        sums, squares = _PivotSums.apply(pivot, second == "diagonal", *rows)
        if second == "none":
            return cls(count, pivot, _double(sums), None, layout)
        return cls(count, pivot, _double(sums), _double(squares), layout)

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
            centred = torch.addcmul(self.second, self.sums, self.sums, value=-1 / self.count)
        else:
            centred = self.second - torch.outer(self.sums, self.sums) / self.count
        return centred / (self.count - 1 if unbiased else self.count)


def _double(tensor: Tensor) -> Tensor:
    """Return the tensor in float64, on the CPU where its device has none."""
    return tensor.cpu().double() if tensor.device.type == "mps" else tensor.double()


def _rows(feature: Tensor) -> Tensor:
    """Return a feature as rows (N, D), maps in H, W, C order: a view of a channels-last map."""
    if feature.dim() == 4:
        feature = feature.permute(0, 2, 3, 1)
    # Half precision is widened before anything is added up.
    wide = feature if feature.dtype == torch.float64 else feature.float()
    return wide.reshape(feature.shape[0], -1)


class _PivotSums(torch.autograd.Function):
    """Pivot p, rows f of each layer -> sum_i (f_i - p), sum_i (f_i - p)^2 over all layers.

    Few passes over memory, few calls: backward is one fused pass a layer, df = g1 + 2 g2 (f - p), and
    what does not depend on the sample is computed once for all layers. Autograd's own composition would
    keep f - p and its square, and walk over them four more times.
    """

    @staticmethod
    def forward(ctx: Any, pivot: Tensor, squares: bool, *rows: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(pivot, *rows)
        ctx.squares = squares
        ctx.set_materialize_grads(False)
        sizes = [row.shape[1] for row in rows]
        ones = rows[0].new_ones(rows[0].shape[0])
        sums = rows[0].new_empty((2 if squares else 1, sum(sizes)))
        for row, centre, out in zip(
            rows, pivot.split(sizes), sums.split(sizes, dim=1), strict=True
        ):
            centred = row - centre
            # A product with ones is a sum over samples, about twice as fast as sum(0) on CPUs.
            torch.mv(centred.T, ones, out=out[0])
            if squares:
                torch.mv(centred.square_().T, ones, out=out[1])
        return sums[0], sums[-1]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        pivot, *rows = ctx.saved_tensors
        flat, slope = grads
        sizes = [row.shape[1] for row in rows]
        zero = pivot.new_zeros(())
        if not ctx.squares or slope is None:
            base = (flat if flat is not None else zero).expand_as(pivot)
            parts = zip(rows, base.split(sizes), strict=True)
            return None, None, *(part.expand_as(row) for row, part in parts)
        slope = 2 * slope
        base = torch.addcmul(flat if flat is not None else zero, slope, pivot, value=-1)
        return (
            None,
            None,
            *(
                torch.addcmul(part, row, steep)
                for row, part, steep in zip(
                    rows, base.split(sizes), slope.split(sizes), strict=True
                )
            ),
        )
