"""The sliced Wasserstein distance: features seen along many directions, sorted and compared.

With M unit vectors u_l and the quantile functions F^-1 of features along them

    MIND = 3 D mean_l int_0^1 (F_x,l^-1(q) - F_y,l^-1(q))^2 dq

which for n features a side is the mean squared difference of the sorted ones. Unlike a Frechet distance
it sees all of a distribution and estimates no covariance. It is biased upward by about c / n: compare
only equal counts. The directions are the same in every evaluation.

Source: Q. Berthet et al., "MIND: Monge Inception Distance for Generative Models Evaluation",
arXiv:2605.06797 (M = 1,000, alpha = 3 D); unequal counts are compared exactly here, not cut to the
smaller.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gentk.errors import BadOption, DataError
from gentk.interfaces import Features, Metric, MetricValue
from gentk.precision import widest
from gentk.summary import Samples, Summary, both, check_finite, check_tensors, pooled

__all__ = ["SlicedDistance", "sliced"]

BLOCK = 2**22
"""Projected features that are sorted at a time."""

SEED = 2020
"""Of the directions."""


class SlicedDistance(Metric):
    """Sliced Wasserstein distance in the extractor's features, pooled, all layers together.

    Args:
        projections: M.
    """

    summary = Samples

    def __init__(self, *, projections: int = 1000) -> None:
        if projections < 1:
            raise BadOption(
                f"metric 'mind': projections is 1 or more, not {projections}; write projections=1000"
            )
        self.projections = projections

    def summarise(self, features: Features, like: Summary | None = None) -> Samples:
        """Return the pooled features themselves."""
        return Samples.of(pooled(features))

    @torch.no_grad()
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Return `mind`; raise `DataError` without images on a side."""
        real, drawn = both(Samples, reference, sample)
        if min(real.count, drawn.count) < 1:
            raise DataError("metric 'mind' needs images on each side; type -n 5000")
        check_finite("metric 'mind'", reference=real.rows, sample=drawn.rows)
        draw = torch.Generator().manual_seed(SEED)
        directions = torch.randn(self.projections, real.rows.shape[1], generator=draw)
        directions /= directions.norm(dim=1, keepdim=True).clamp(min=1e-12)
        value = sliced(real.rows, drawn.rows, directions.to(real.rows))
        return [MetricValue("mind", 3 * real.rows.shape[1] * value)]

    def fingerprint(self) -> str:
        """Return what is summarised: pooled features."""
        return "samples-1 pool=mean"


def sliced(x: Tensor, y: Tensor, directions: Tensor) -> float:
    """Return the mean over directions of the squared 2-Wasserstein distance along them.

    Args:
        x: (N, D).
        y: (M, D).
        directions: (L, D).
    """
    check_tensors("sliced", x=(x, "N D"), y=(y, "M D"), directions=(directions, "L D"))
    check_finite("sliced", x=x, y=y, directions=directions)
    left, right, weights = _steps(len(x), len(y), x.device)
    wide = widest(x.device)
    total = 0.0
    for some in directions.split(max(1, BLOCK // (len(x) + len(y)))):
        a, b = ((some @ side.T).sort(dim=1).values for side in (x, y))
        if len(x) != len(y):
            a, b = a[:, left], b[:, right]
        total += float(((a - b).to(wide).square() @ weights.to(wide)).sum())
    return total / len(directions)


def _steps(n: int, m: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return where both quantile functions of n and m values are constant: indices and lengths.

    Steps end at i / n and j / m; as multiples of 1 / (n m) they are whole numbers.
    """
    if n == m:
        every = torch.arange(n, device=device)
        return every, every, torch.full((n,), 1 / n, dtype=torch.float64).to(device)
    ends = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    lengths = (ends - starts).double() / (n * m)
    return (starts // m).to(device), (starts // n).to(device), lengths.to(device)
