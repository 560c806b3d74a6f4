"""The unbiased MMD^2 of two sets of samples, sample by sample, and its standard error.

    h(x) = 2 (mean_j k(x, x_j) - mean_j k(x, y_j)),    g(y) = 2 (mean_j k(y, y_j) - mean_j k(y, x_j))

are the influences of the samples on MMD^2 = (mean h + mean g) / 2. With z_ab the variance of the doubly
centred kernel of a sample of a and one of b, the U-statistic of n and m samples has

    error^2 = var h / n + var g / m + 2 z_xx / n^2 + 2 z_yy / m^2 + 4 z_xy / (n m).

The first two are what counts where the laws differ; of identical laws they vanish and the others remain.
Means over samples stand for expectations in h and g; what their own noise adds to var h, 4 (z_xx c_x +
z_xy c_y) where a mean over c^-1 independent samples was taken, is taken off again.

Source: W. Hoeffding, "A Class of Statistics with Asymptotically Normal Distribution", Annals of
Mathematical Statistics 19, 1948; A. Gretton et al., "A Kernel Two-Sample Test", JMLR 13:723-773, 2012.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gentk.precision import widest

from .blocks import spans, triangle
from .kernels import Kernel

__all__ = ["Influences", "Pairs"]

STRIP = 64
"""Rows of a set's own matrix that are made at a time: of its two halves, mostly one."""

BLOCK = 2**20
"""Kernel values that are worked on at a time."""


@dataclass(frozen=True)
class Pairs:
    """Means of a kernel of products over pairs of samples, float64.

    Attributes:
        x: Of each x with all other x, (n,).
        y: Of each y with all other y, (m,).
        x_y: Of each x with all y, (n,).
        y_x: Of each y with all x, (m,).
        z: z_xx, z_yy and z_xy.
    """

    x: Tensor
    y: Tensor
    x_y: Tensor
    y_x: Tensor
    z: tuple[float, float, float]

    @classmethod
    def of(cls, x: Tensor, y: Tensor, kernel: Kernel) -> Pairs:
        """Go over all pairs, block by block.

        Args:
            x: (n, D), n > 1; float64 is computed in float64, anything else in float32.
            y: (m, D), m > 1.
            kernel: A kernel of the mean product.
        """
        own_x, z_xx = _within(x, kernel)
        own_y, z_yy = _within(y, kernel)
        x_y, y_x, z_xy = _across(x, y, kernel)
        return cls(own_x, own_y, x_y, y_x, (z_xx, z_yy, z_xy))

    def mmd2(self) -> float:
        """Return the unbiased MMD^2."""
        return float(self.x.mean() + self.y.mean() - 2 * self.x_y.mean())


class Influences:
    """Gathers the influences of two sets' samples from pairs of some of them.

    Args:
        counts: How many samples the sets have.
    """

    def __init__(self, counts: tuple[int, int]) -> None:
        self.counts = counts
        self._sums = [torch.zeros(count, dtype=torch.float64) for count in counts]
        self._seen = [torch.zeros(count, dtype=torch.float64) for count in counts]
        self._z: list[tuple[float, float, float]] = []
        self._sizes = (0, 0)

    def add(self, pairs: Pairs, chosen: tuple[Tensor, Tensor]) -> None:
        """Take the pairs of the samples at these indices."""
        halves = (pairs.x - pairs.x_y, pairs.y - pairs.y_x)
        for side, (index, half) in enumerate(zip(chosen, halves, strict=True)):
            self._sums[side][index] += half.cpu().double()
            self._seen[side][index] += 1
        self._z.append(pairs.z)
        self._sizes = (len(chosen[0]), len(chosen[1]))

    def error(self) -> float:
        """Return the standard error of the MMD^2 of all samples."""
        z_xx, z_yy, z_xy = (sum(values) / len(self._z) for values in zip(*self._z, strict=True))
        n, m = self.counts
        total = 2 * z_xx / n**2 + 2 * z_yy / m**2 + 4 * z_xy / (n * m)
        for side, own in ((0, z_xx), (1, z_yy)):
            seen = self._seen[side]
            kept = seen > 0
            influence = 2 * self._sums[side][kept] / seen[kept]
            turns = float(seen[kept].mean())
            noise = 4 * (own * self._share(side, turns) + z_xy * self._share(1 - side, turns))
            total += max(float(influence.var()) - noise, 0.0) / self.counts[side]
        return math.sqrt(max(total, 0.0))

    def _share(self, side: int, turns: float) -> float:
        """Return 1 / the number of samples of a side that a mean over several turns is worth."""
        size, count = self._sizes[side], self.counts[side]
        return (1 - size / count) / (turns * size) + 1 / count


def _within(x: Tensor, kernel: Kernel) -> tuple[Tensor, float]:
    """Return the means of each sample with all others, and z."""
    count = len(x)
    wide = widest(x.device)
    sums = x.new_zeros(count, dtype=wide)
    squares = 0.0
    for strip in triangle(count, STRIP):
        values = kernel.values(torch.mm(x[strip.rows] / x.shape[1], x[strip.columns].T))
        values.diagonal().zero_()
        sums[strip.rows] += values.sum(1).to(wide)
        sums[strip.mirrored] += values.sum(0)[strip.side :].to(wide)
        squares += 2 * _squares(values) - _squares(strip.square(values).contiguous())
    means = sums / (count - 1)
    centred = squares / (count * (count - 1)) - 2 * means.square().mean() + means.mean().square()
    return means, max(float(centred), 0.0)


def _across(x: Tensor, y: Tensor, kernel: Kernel) -> tuple[Tensor, Tensor, float]:
    """Return the means of each sample with all of the other set, and z."""
    wide = widest(x.device)
    rows, columns = x.new_zeros(len(x), dtype=wide), y.new_zeros(len(y), dtype=wide)
    squares = 0.0
    height = max(STRIP, BLOCK // len(y))
    for start, stop in spans(len(x), height):
        values = kernel.values(torch.mm(x[start:stop] / x.shape[1], y.T))
        rows[start:stop] = values.sum(1).to(wide)
        columns += values.sum(0).to(wide)
        squares += _squares(values)
    rows, columns = rows / len(y), columns / len(x)
    both = rows.square().mean() + columns.square().mean() - rows.mean().square()
    return rows, columns, max(squares / (len(x) * len(y)) - float(both), 0.0)


def _squares(values: Tensor) -> float:
    """Return the sum of squares: of float32 to a few digits, which is enough for an error."""
    flat = values.view(-1)
    return float(flat.dot(flat))
