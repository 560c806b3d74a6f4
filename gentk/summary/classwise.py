"""Moment sums of each class: the sums of `MomentSums`, of the samples of every class by themselves.

With c_i the class of sample i and a pivot p that all classes share, for each class k

    n_k = #{i: c_i = k},    s_k = sum_{c_i = k} (f_i - p),    q_k = sum_{c_i = k} (f_i - p)^2.

Classes come as rows with a 1 at the class, so that the number of classes is known and no sample is
looked up: sums over a class are a product of matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ..interfaces import Features, Summary
from ..precision import double, home_of_float64
from .checking import check_layouts
from .moments import flat_rows, unrows

__all__ = ["ClassMoments"]


@dataclass(frozen=True)
class ClassMoments(Summary):
    """Sums of D features over the samples of each of K classes, maps in H, W, C order.

    Attributes:
        count: How many samples it has seen.
        numbers: n, (K,) float64: how many of each class.
        pivot: p, (D,) float32, without gradient.
        sums: s, (K, D) float64.
        second: q, (K, D) float64; None if only means are wanted.
        layout: (layer, number of its features), in order.
    """

    grows: ClassVar[bool] = False

    count: int
    numbers: Tensor
    pivot: Tensor
    sums: Tensor
    second: Tensor | None
    layout: tuple[tuple[str, int], ...]

    @classmethod
    def of(
        cls, features: Features, labels: Tensor, second: bool = True, like: Summary | None = None
    ) -> ClassMoments:
        """Summarise one chunk, differentiably.

        Means and sums of squares of a chunk are taken about its own means, as `MomentSums` does, a layer
        at a time.

        Args:
            features: Layer -> (N, ...).
            labels: (N, K), a 1 at each sample's class.
            second: Whether to keep squares.
            like: A summary whose pivot to take; without one, the chunk's own mean.
        """
        layout = tuple((name, value[0].numel()) for name, value in features.items())
        count = next(iter(features.values())).shape[0]
        if isinstance(like, ClassMoments):
            pivot = like.pivot
        else:
            pivot = torch.cat([flat_rows(value.detach()).mean(0) for value in features.values()])
        mean, spread = map(double, _ClassColumns.apply(labels, *features.values()))
        numbers = double(labels.to(pivot).sum(0))
        gap = mean - double(pivot)
        sums = numbers[:, None] * gap
        return cls(count, numbers, pivot, sums, spread + sums * gap if second else None, layout)

    def __add__(self, other: Summary) -> ClassMoments:
        if not isinstance(other, ClassMoments):
            return NotImplemented
        check_layouts(self.layout, other.layout)
        if self.pivot is not other.pivot and not torch.equal(self.pivot, other.pivot):
            other = other.about(self.pivot)
        second = None
        if self.second is not None and other.second is not None:
            second = self.second + other.second
        return replace(
            self,
            count=self.count + other.count,
            numbers=self.numbers + other.numbers,
            sums=self.sums + other.sums,
            second=second,
        )

    def about(self, pivot: Tensor) -> ClassMoments:
        """Return the same summary about another pivot, exactly (float64)."""
        shift, numbers = double(self.pivot) - double(pivot), self.numbers[:, None]
        second = self.second
        if second is not None:
            second = second + 2 * shift * self.sums + numbers * shift.square()
        return replace(self, pivot=pivot, sums=self.sums + numbers * shift, second=second)

    def to_tensors(self) -> dict[str, Tensor]:
        """Return `sums` and, where kept, `second`."""
        tensors = {"sums": self.sums}
        return tensors if self.second is None else tensors | {"second": self.second}

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """Return the same summary made of other sums."""
        return replace(self, sums=tensors["sums"], second=tensors.get("second"))

    def settled(self) -> ClassMoments:
        """Return the summary detached and about the mean of all samples, rounded to float32."""
        plain = self.detach()
        mean = double(plain.pivot) + plain.sums.sum(0) / plain.count
        return plain.about(mean.to(self.pivot.dtype))

    def store(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return numbers, pivot and sums, and the count and layout."""
        tensors = {"numbers": self.numbers, "pivot": self.pivot, **self.to_tensors()}
        fields = {"count": self.count, "layout": [list(row) for row in self.layout]}
        return {k: v.cpu().contiguous() for k, v in tensors.items()}, fields

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> Self:
        """Make a summary from what `store` returned."""
        layout = tuple((name, size) for name, size in fields["layout"])
        pivot, sums = tensors["pivot"], tensors["sums"]
        return cls(fields["count"], tensors["numbers"], pivot, sums, tensors.get("second"), layout)

    def to(self, device: torch.device) -> Self:
        """Return the summary on another device; float64 stays on the CPU where `device` has none."""
        wide = home_of_float64(device)
        return replace(
            self,
            numbers=self.numbers.to(wide),
            pivot=self.pivot.to(device),
            sums=self.sums.to(wide),
            second=None if self.second is None else self.second.to(wide),
        )

    def mean(self) -> Tensor:
        """Return the mean of each feature over each class, (K, D) float64; NaN of empty classes."""
        return double(self.pivot) + self.sums / self.numbers[:, None]

    def covariance(self, unbiased: bool = True) -> Tensor:
        """Return the variances within each class, (K, D) float64; NaN of classes too small for one.

        Args:
            unbiased: Divide by n - 1 rather than by n.
        """
        if self.second is None:
            raise ValueError("this summary keeps means only")
        numbers = self.numbers[:, None]
        centred = self.second - self.sums.square() / numbers
        return centred / (numbers - 1 if unbiased else numbers)


class _ClassColumns(torch.autograd.Function):
    """Features f of each layer -> each class's mean m and sum of squared deviations v, (K, D) each.

    A class without samples has zeros. Few passes over what is of the features' size, while a layer is
    in the cache: with n_k samples in the class k of a sample, backward is

        df = g_m / n_k + 2 g_v (f - m_k).
    """

    @staticmethod
    def forward(ctx: Any, labels: Tensor, *features: Tensor) -> tuple[Tensor, Tensor]:
        means, spreads = [], []
        for feature in features:
            rows = flat_rows(feature)
            marks = labels.to(rows)
            numbers = marks.sum(0).clamp(min=1)[:, None]
            means.append((marks.T @ rows).div_(numbers))
            away = torch.addmm(rows, marks, means[-1], alpha=-1)
            spreads.append(marks.T @ away.square_())
        mean = torch.cat(means, dim=1)
        ctx.save_for_backward(labels, mean, *features)
        return mean, torch.cat(spreads, dim=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        labels, mean, *features = ctx.saved_tensors
        sizes = [feature[0].numel() for feature in features]
        slope = grads[1] * 2
        numbers = labels.to(mean).sum(0).clamp(min=1)[:, None]
        base = torch.addcmul(grads[0] / numbers, slope, mean, value=-1)
        own: list[Tensor | None] = [None]
        for feature, part, steep in zip(
            features, base.split(sizes, dim=1), slope.split(sizes, dim=1), strict=True
        ):
            rows = flat_rows(feature)
            marks = labels.to(rows)
            own.append(unrows((marks @ part).addcmul_(rows, marks @ steep), feature))
        return tuple(own)
