"""MMD^2 as a metric: all images of both sides, under a kernel of choice.

    MMD^2 = mean_{i!=j} k(x_i, x_j) + mean_{i!=j} k(y_i, y_j) - 2 mean_{ij} k(x_i, y_j)

unbiased as it stands here; see `gentk_mmd.discrepancy` for the biased form and the source.
"""

from __future__ import annotations

from typing import Literal

import torch

from gentk.errors import DataError
from gentk.interfaces import Features, Metric, MetricValue
from gentk.summary import Samples, Summary, both, check_finite, pooled

from .choice import MEDIAN_OF, KernelChoice
from .discrepancy import mmd2
from .kernels import Convention, KernelName

__all__ = ["Discrepancy"]


class Discrepancy(Metric):
    """MMD^2 in the extractor's features, all layers together.

    Args:
        kernel: As the loss `mmd` takes it.
        bandwidths: The same; the median is taken of images of the data.
        convention: The same.
        unbiased: Leave out pairs of an image with itself; may be negative.
        pool: `mean` averages over positions; `none` takes every position as a feature of its own.
    """

    summary = Samples

    def __init__(
        self,
        *,
        kernel: KernelName = "gaussian",
        bandwidths: tuple[float, ...] | tuple[str, ...] = ("median",),
        convention: Convention = "standard",
        unbiased: bool = True,
        pool: Literal["mean", "none"] = "mean",
    ) -> None:
        self.choice = KernelChoice("metric 'mmd'", kernel, bandwidths, convention)
        self.unbiased = unbiased
        self.pool = pool

    def summarise(self, features: Features, like: Summary | None = None) -> Samples:
        """Return the features themselves, pooled if so asked."""
        return Samples.of(pooled(features) if self.pool == "mean" else features)

    @torch.no_grad()
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Return `mmd`, MMD^2; raise `DataError` for fewer than two images on a side."""
        known, drawn = both(Samples, reference, sample)
        if min(known.count, drawn.count) < 2:
            raise DataError("metric 'mmd' needs at least 2 images on each side; type -n 5000")
        check_finite("metric 'mmd'", reference=known.rows, sample=drawn.rows)
        draw = torch.Generator().manual_seed(0)
        some = torch.randperm(known.count, generator=draw)[:MEDIAN_OF]
        kernel = self.choice.kernel(self.choice.settle(known.take(some).rows))
        value = mmd2(known.rows, drawn.rows, kernel, unbiased=self.unbiased)
        return [MetricValue("mmd", float(value))]

    def fingerprint(self) -> str:
        """Return what is summarised: features, pooled or not."""
        return f"samples-1 pool={self.pool}"
