"""Moment sums: the count, sums and sums of squares (or products) of features about a fixed pivot.

For samples f_1..f_n of D features and a pivot p in R^D

    s = sum_i (f_i - p),    q = sum_i (f_i - p)^2  or  sum_i (f_i - p)(f_i - p)^T

    mean = p + s / n,    variance = (q - s^2 / n) / (n - ddof).

Means and variances of one chunk are float32, the variance about the chunk's own mean; from there on
everything is float64, and about the data mean, so that sums do not cancel, a million small chunks add up
and a step of 1e-5 on a statistic of 1e4 is not lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from ..errors import DataError, Incompatible
from ..interfaces import Features, Summary
from ..precision import double, home_of_float64
from .checking import alike, check_layouts

__all__ = ["MomentSums", "flat_rows"]

Second = Literal["none", "diagonal", "full"]

STRIP = 256
"""Columns of a matrix of products that are made at a time."""


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
        layout = tuple((name, value[0].numel()) for name, value in alike(features).items())
        count = next(iter(features.values())).shape[0]
        if isinstance(like, MomentSums):
            pivot = like.pivot
        else:
            pivot = torch.cat([flat_rows(value.detach()).mean(0) for value in features.values()])
        if second == "full":
            # Products in float64: a covariance of fewer samples than features is singular, and
            # rounding it in float32 would invent directions.
            rows = [flat_rows(value) for value in features.values()]
            wide = double(torch.cat(rows, dim=1) - pivot)
            return cls(count, pivot, wide.sum(0), _products(wide), layout)
        mean, variance = map(double, _ColumnMoments.apply(*features.values()))
        gap = mean - double(pivot)
        squares = None if second == "none" else count * torch.addcmul(variance, gap, gap)
        return cls(count, pivot, count * gap, squares, layout)

    @classmethod
    def of_means(
        cls, means: Mapping[str, Tensor], count: int, like: Summary | None = None
    ) -> MomentSums:
        """Summarise a chunk by what is a mean over its samples already, differentiably; means alone.

        Args:
            means: Name -> a mean over the chunk's samples, of any shape.
            count: How many samples these are.
            like: A summary whose pivot to take; without one, the means are it.
        """
        rows = [value.flatten() for value in means.values()]
        layout = tuple((name, len(row)) for name, row in zip(means, rows, strict=True))
        wide = torch.cat(rows)
        pivot = like.pivot if isinstance(like, MomentSums) else wide.detach()
        return cls(count, pivot, count * (double(wide) - double(pivot)), None, layout)

    def __add__(self, other: Summary) -> MomentSums:
        if not isinstance(other, MomentSums):
            return NotImplemented
        check_layouts(self.layout, other.layout)
        if self.pivot is not other.pivot and not torch.equal(self.pivot, other.pivot):
            other = other.about(self.pivot)
        second = None
        if self.second is not None and other.second is not None:
            second = self.second + other.second
        return replace(
            self, count=self.count + other.count, sums=self.sums + other.sums, second=second
        )

    def extended(self, rows: Tensor) -> MomentSums:
        """Return the summary of further samples too, differentiably; it must have full moments.

        Args:
            rows: (N, D), all layers one after another.
        """
        assert self.second is not None
        if not len(rows):
            return self
        wide = double(rows).clone() if rows.dtype == torch.float64 else double(rows)
        wide -= double(self.pivot)
        second = _products(wide, self.second)
        return replace(
            self, count=self.count + len(rows), sums=self.sums + wide.sum(0), second=second
        )

    def to_tensors(self) -> dict[str, Tensor]:
        """Return `sums` and, where kept, `second`."""
        tensors = {"sums": self.sums}
        return tensors if self.second is None else tensors | {"second": self.second}

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """Return the same summary made of other sums."""
        return replace(self, sums=tensors["sums"], second=tensors.get("second"))

    def about(self, pivot: Tensor) -> MomentSums:
        """Return the same summary about another pivot, exactly (float64).

        With e = p - p': s' = s + n e, q' = q + e s^T + s e^T + n e e^T.
        """
        shift = double(self.pivot) - double(pivot)
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
        plain = self.detach()
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
        wide = home_of_float64(device)
        return replace(
            self,
            pivot=self.pivot.to(device),
            sums=self.sums.to(wide),
            second=None if self.second is None else self.second.to(wide),
        )

    def mean(self) -> Tensor:
        """Return the mean of each feature, (D,) float64."""
        return double(self.pivot) + self.sums / self.count

    def covariance(self, unbiased: bool = True) -> Tensor:
        """Return the variances (D,) or the covariance matrix (D, D), whichever is kept; float64.

        Args:
            unbiased: Divide by n - 1 rather than by n.

        Raises:
            DataError: There are fewer than two samples and `unbiased` is asked for.
            Incompatible: Neither is kept.
        """
        if self.second is None:
            raise Incompatible(
                "a variance is asked for of sums that keep means alone, as those of a critic that "
                "summarises a side by itself do; compare means, as --loss moments,covariance=none does"
            )
        if unbiased:
            _check_count(self.count)
        if self.second.dim() == 1:
            centred = torch.addcmul(self.second, self.sums, self.sums, value=-1 / self.count)
        else:
            centred = torch.addr(self.second, self.sums, self.sums, alpha=-1 / self.count)
        return centred / (self.count - 1 if unbiased else self.count)


def deviations(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of samples, (D,) float64, and (f - mean) / sqrt(N - 1), (N, D) in the type of f,
    of which products are covariances.

    Args:
        rows: f, (N, D).

    Raises:
        DataError: There are fewer than two.
    """
    _check_count(len(rows))
    pivot = rows.mean(0)
    rest = double(rows - pivot)
    gap = rest.mean(0)
    return double(pivot) + gap, rest.sub_(gap).mul_((len(rows) - 1) ** -0.5).to(rows)


def _check_count(count: int) -> None:
    """Refuse a set that has no variance."""
    if count < 2:
        raise DataError("a variance needs at least 2 samples; add data, or write limit=2 or more")


def _products(rows: Tensor, start_from: Tensor | None = None) -> Tensor:
    """Return X^T X of rows X, (N, D) -> (D, D), and a symmetric matrix more if one is given.

    Of its two halves, which are alike, mostly one is made.
    """
    size = rows.shape[1]
    if rows.requires_grad:
        return rows.T @ rows if start_from is None else start_from + rows.T @ rows
    if start_from is None and min(rows.shape) <= STRIP:
        return rows.T @ rows
    products = rows.new_zeros(size, size) if start_from is None else start_from.clone()
    for start in range(0, size, STRIP):
        stop = min(start + STRIP, size)
        products[start:, start:stop].addmm_(rows[:, start:].T, rows[:, start:stop])
        products[start:stop, stop:] = products[stop:, start:stop].T
    return products


def flat_rows(feature: Tensor) -> Tensor:
    """Return a feature as rows (N, D), maps in H, W, C order: a view of a channels-last map."""
    if feature.dim() == 4:
        feature = feature.permute(0, 2, 3, 1)
    # Half precision is widened before anything is added up.
    wide = feature if feature.dtype == torch.float64 else feature.float()
    return wide.reshape(feature.shape[0], -1)


def _mean_and_variance(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance over rows (N, D), (D,) each."""
    if rows.device.type not in ("cpu", "cuda"):
        variance, mean = torch.var_mean(rows, 0, correction=0)
        return mean, variance
    # Running statistics are asked for and not wanted: a momentum of zero leaves them alone.
    unused = rows.new_ones(rows.shape[1])
    mean, variance = torch.batch_norm_update_stats(rows, unused, unused, 0.0)
    return mean, variance


def unrows(rows: Tensor, feature: Tensor) -> Tensor:
    """Return rows (N, D) in the shape and type of the feature they were made of."""
    if feature.dim() == 4:
        count, channels, height, width = feature.shape
        maps = rows.view(count, height, width, channels).permute(0, 3, 1, 2)
        return maps.to(feature.dtype)
    return rows.view(feature.shape).to(feature.dtype)


class _ColumnMoments(torch.autograd.Function):
    """Features f of each layer -> their mean m and biased variance v over samples, (D,) each.

    Few passes over memory, few calls: torch's batch-norm kernel reads the features once or twice and
    writes nothing of their size, and backward is one fused pass a layer,

        df = g_m / N + 2 g_v (f - m) / N,

    whose per-feature parts are computed once for all layers.
    """

    @staticmethod
    def forward(ctx: Any, *features: Tensor) -> tuple[Tensor, Tensor]:
        rows = [flat_rows(feature) for feature in features]
        layers = [_mean_and_variance(row) for row in rows]
        mean, variance = (torch.cat(parts) for parts in zip(*layers, strict=True))
        ctx.save_for_backward(mean, *features)
        return mean, variance

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        mean, *features = ctx.saved_tensors
        count, sizes = features[0].shape[0], [feature[0].numel() for feature in features]
        slope = grads[1] * (2 / count)
        base = torch.addcmul(grads[0] / count, slope, mean, value=-1)
        parts = zip(features, base.split(sizes), slope.split(sizes), strict=True)
        return tuple(
            unrows(torch.addcmul(part, flat_rows(feature), steep), feature)
            for feature, part, steep in parts
        )
