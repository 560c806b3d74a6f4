"""Pairs of samples, block by block: weighted means of a kernel and the sums their gradients are made of.

    u'K_xx u    (or sum_{i!=j} u_i u_j k(x_i, x_j) / (1 - sum u^2)),    u'K_xy v

Value and gradient are made in one pass over blocks of rows, so that memory grows with the number of
samples and not with its square; see `gentk_mmd.discrepancy`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gentk.precision import widest

from .blocks import Strip, spans, triangle
from .kernels import Kernel

__all__ = ["Side", "across", "linear", "within"]

BLOCK = 2**22
"""Kernel values in a block: what a product of matrices is made of."""

TILE = 2**17
"""Kernel values that are worked on at a time on a CPU: what its second-level cache holds."""

LEAST_ROWS = 128
"""Fewer rows in a block slow down products of matrices."""


class Side:
    """One set of samples: its rows, weights and the sums its gradient is made of.

    Attributes:
        rows: (N, D).
        weights: (N,) float64.
        factor: 1/N where weights are uniform, else 1; with
        vector: (N,) ones or the weights, in the rows' type, and
        weighted: the rows times that, it makes weighted sums of the uniform case without a copy.
        inner: The factor of the set's own term.
        wanted: Whether a gradient is.
        first: The first row whose gradient is wanted.
    """

    def __init__(
        self,
        rows: Tensor,
        weights: Tensor | None,
        unbiased: bool,
        wanted: bool,
        constant: int = 0,
    ) -> None:
        count = len(rows)
        self.uniform = weights is None
        self.rows = rows
        self.wide = widest(rows.device)
        if weights is None:
            self.weights = rows.new_full((count,), 1 / count, dtype=self.wide)
            self.vector = rows.new_ones(count)
            self.inner: float | Tensor = count / (count - 1) if unbiased else 1.0
        else:
            self.weights = weights.detach().to(rows.device, self.wide)
            self.vector = self.weights.to(rows.dtype)
            self.inner = 1 / (1 - self.weights.square().sum()) if unbiased else 1.0
        self.factor = 1 / count if self.uniform else 1.0
        self.wanted = wanted
        self.first = constant

    def begin(self, centre: Tensor | None) -> None:
        """Move the rows to a common centre and make room for the gradient's sums."""
        if centre is not None:
            self.rows = self.rows - centre
            self.squares = self.rows.square().sum(1)
        self.weighted = self.rows if self.uniform else self.rows * self.vector[:, None]
        if self.wanted:
            self.own = torch.zeros_like(self.vector)
            self.others = torch.zeros_like(self.rows)

    def sum(self, values: Tensor, start: int, stop: int) -> Tensor:
        """Return the weighted sums of rows of kernel values over the samples from `start` to `stop`."""
        if self.uniform:
            return values.sum(1, dtype=self.wide) * self.factor
        return (values * self.vector[start:stop]).sum(1, dtype=self.wide)

    def gradient(self, kernel: Kernel) -> Tensor:
        """Return what the pairs' sums make of the gradient, (N, D)."""
        scale = self.weights.to(self.rows.dtype)[:, None]
        self.own[: self.first] = 0
        self.others[: self.first] = 0
        if kernel.of == "product":
            return self.others.mul_(scale * (2 / self.rows.shape[1]))
        return self.others.neg_().addcmul_(self.own[:, None], self.rows).mul_(4 * scale)


def linear(left: Side, right: Side, unbiased: bool) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return MMD^2 of the kernel <x, y> and its gradients, without a matrix.

    With m = sum u_i x_i a set's own term is |m|^2, or (|m|^2 - sum u_i^2 |x_i|^2) / (1 - sum u^2): the
    diagonal is the samples' own squares, not a constant.
    """
    means = [side.weights @ side.rows.to(side.wide) for side in (left, right)]
    value = -2 * means[0].dot(means[1])
    slopes: list[Tensor | None] = []
    for side, mean, other in ((left, means[0], means[1]), (right, means[1], means[0])):
        trace = mean.new_zeros(())
        if unbiased:
            trace = side.weights.square().dot(side.rows.to(side.wide).square().sum(1))
        value = value + side.inner * (mean.dot(mean) - trace)
        if not side.wanted:
            slopes.append(None)
            continue
        weights = side.weights[:, None]
        slope = 2 * weights * (side.inner * mean - other)
        if unbiased:
            slope = slope - 2 * side.inner * weights.square() * side.rows
        slope[: side.first] = 0
        slopes.append(slope.to(side.rows.dtype))
    return value, slopes[0], slopes[1]


def within(side: Side, kernel: Kernel, unbiased: bool, block: int | None) -> Tensor:
    """Return a set's own term, u'K_xx u or its unbiased form, and begin the gradient's sums."""
    count = len(side.rows)
    height = block or min(_height(count, count), max(LEAST_ROWS, -(-count // 8)))
    room = side.rows.new_empty(min(height, count) * count)
    sums = torch.zeros_like(side.weights)
    # A function of the distance has no slope at a pair of a sample with itself.
    flat = unbiased or kernel.of == "distance"
    factor = side.factor * kernel.slope
    for strip in triangle(count, height):
        start, stop = strip.start, strip.stop
        t = _products(side, side, kernel, start, stop, start, room)
        for a, b in _tiles(t):
            tile = _measures(t, side, kernel, start, a, b)
            if kernel.of == "distance":
                tile.diagonal(a).zero_()
            values, slopes = kernel.slopes(tile) if side.wanted else (kernel.values(tile), None)
            if unbiased:
                values.diagonal(a).zero_()
            row = side.sum(strip.square(values), start, stop)
            if stop < count:
                row.add_(side.sum(strip.right(values), stop, count), alpha=2)
            sums[start + a : start + b] = row
            if slopes is not None:
                if flat:
                    slopes.diagonal(a).zero_()
                if kernel.of == "distance":
                    slope = torch.mv(slopes, side.vector[strip.columns])
                    side.own[start + a : start + b].add_(slope, alpha=factor)
        if side.wanted:
            if stop > side.first:
                side.others[strip.rows].addmm_(t, side.weighted[strip.columns], alpha=factor)
            _mirror(side, kernel, t, strip)
    if unbiased and side.wanted:
        side.own.mul_(side.inner)
        side.others.mul_(side.inner)
    return side.inner * side.weights.dot(sums)


def _mirror(side: Side, kernel: Kernel, slopes: Tensor, strip: Strip) -> None:
    """Add a strip's mirror image to the gradient's sums of the samples right of its square."""
    after = max(strip.stop, side.first)
    if after == len(side.rows):
        return
    factor = side.factor * kernel.slope
    mirror = slopes[:, after - strip.start :].T
    side.others[after:].addmm_(mirror, side.weighted[strip.rows], alpha=factor)
    if kernel.of == "distance":
        side.own[after:].add_(torch.mv(mirror, side.vector[strip.rows]), alpha=factor)


def across(left: Side, right: Side, kernel: Kernel, block: int | None) -> Tensor:
    """Return u'K_xy v, adding to the gradient's sums."""
    count, width = len(left.rows), len(right.rows)
    height = block or _height(count, width)
    room = left.rows.new_empty(min(height, count) * width)
    sums = torch.zeros_like(left.weights)
    wanted = left.wanted or right.wanted
    for start, stop in spans(count, height):
        t = _products(left, right, kernel, start, stop, 0, room)
        for a, b in _tiles(t):
            tile = _measures(t, left, kernel, start, a, b)
            values, slopes = kernel.slopes(tile) if wanted else (kernel.values(tile), None)
            sums[start + a : start + b] = right.sum(values, 0, width)
            if slopes is not None and left.wanted and kernel.of == "distance":
                row = torch.mv(slopes, right.vector)
                left.own[start + a : start + b].sub_(row, alpha=right.factor * kernel.slope)
        if left.wanted and stop > left.first:
            left.others[start:stop].addmm_(t, right.weighted, alpha=-right.factor * kernel.slope)
        if right.wanted:
            factor = left.factor * kernel.slope
            right.others.addmm_(t.T, left.weighted[start:stop], alpha=-factor)
            if kernel.of == "distance":
                right.own.sub_(torch.mv(t.T, left.vector[start:stop]), alpha=factor)
    return left.weights.dot(sums)


def _products(
    left: Side, right: Side, kernel: Kernel, start: int, stop: int, first: int, room: Tensor
) -> Tensor:
    """Return a block of <x, y> / D, or of |y|^2 - 2 <x, y>, in the room made for blocks."""
    rows, columns = left.rows[start:stop], right.rows[first:]
    t = room[: len(rows) * len(columns)].view(len(rows), len(columns))
    if kernel.of == "product":
        return torch.mm(rows, columns.T, out=t).div_(rows.shape[1])
    return torch.addmm(right.squares[first:], rows, columns.T, alpha=-2, out=t)


def _measures(t: Tensor, left: Side, kernel: Kernel, start: int, a: int, b: int) -> Tensor:
    """Return rows a to b of a block, finished: at distances |x|^2 is still missing."""
    tile = t[a:b]
    if kernel.of == "distance":
        tile.add_(left.squares[start + a : start + b, None]).clamp_(min=0)
    return tile


def _height(count: int, width: int) -> int:
    """Return how many rows a block has: about BLOCK values, in parts as even as can be."""
    most = max(1, BLOCK // width)
    return -(-count // -(-count // most))


def _tiles(t: Tensor) -> list[tuple[int, int]]:
    """Return the first row and the row after the last of the tiles of a block."""
    return spans(len(t), max(1, TILE // t.shape[1]) if t.device.type == "cpu" else len(t))
