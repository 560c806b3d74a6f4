"""The Frechet distance of two Gaussians fitted to features, and how sure one may be of it.

    FD = |m_1 - m_2|^2 + tr(C_1 + C_2 - 2 (C_1^1/2 C_2 C_1^1/2)^1/2)

with means m and unbiased covariances C of pooled features. In the pool3 features of the TensorFlow
Inception network this is FID (M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge
to a Local Nash Equilibrium", NeurIPS 2017, arXiv:1706.08500, eq. 6); gentk computes it in any
extractor's.

The estimate is biased upward by about c / n: compare only equal counts. Both sides cut in half have
twice the bias, so that (M. Chong, D. Forsyth, "Effectively Unbiased FID and Inception Score", CVPR
2020, arXiv:1911.07023, extrapolates over more sizes)

    fd/extrapolated = 2 FD(n) - (FD(half of each) + FD(the other halves)) / 2.

The error of both is the infinitesimal jackknife's: with the transport map T of N(m_1, C_1) to N(m_2,
C_2) the influence of x on FD is

    h_1(x) = 2 (m_1 - m_2).(x - m_1) + (x - m_1)'(1 - T)(x - m_1)
    error^2 = var h_1 / n_1 + var h_2 / n_2

and h_2 the same of the other side, with T^-1; their variances are those of up to 2,048 of each side's
images, drawn at random. Features need not be Gaussian for that; `extrapolated` +-
1.96 errors covers at 95 % (measured in tests: 200 repetitions, 64 features, 2,000 images). For half of
the images still to say something of all features, each side needs more than twice as many as there are
features.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from gentk.errors import DataError, Incompatible
from gentk.interfaces import Features, Metric, MetricValue
from gentk.precision import double
from gentk.summary import MomentSums, Summary, both, check_finite, check_tensors, pooled

from .halves import HalvedMoments
from .published import published

__all__ = ["FrechetDistance", "frechet_distance"]

LARGEST = 4096
"""The largest number of pooled features: covariances have its square."""

TRUSTED = 1e-10
"""The largest error, as a share of the trace, at which eigenvalues are good enough for their roots."""

ROUNDING = 8
"""The error of an eigenvalue, in units of the largest one's last digit."""


class FrechetDistance(Metric):
    """Frechet distance in the extractor's features, pooled over positions, all layers together.

    Maps are averaged over space, tokens over all of them, class tokens too, unless the extractor pools:
    `timm:MODEL,pool=mean` takes patches, `pool=cls` the class token. The protocol says which.

    Args:
        interval: Tell the error, and the distance extrapolated to endlessly many images; false saves
            half of the time that the figure takes once features are there.
        statistics: An .npz file with the mean `mu` and the covariance `sigma` of the same features of
            other images, which take the place of the reference's; nothing is known of their error.
    """

    summary = HalvedMoments

    def __init__(self, *, interval: bool = True, statistics: Path | None = None) -> None:
        self.interval = interval
        self.statistics = statistics

    def summarise(self, features: Features, like: Summary | None = None) -> HalvedMoments:
        """Return means and full second moments of pooled features; `Incompatible` if too many."""
        features = pooled(features)
        size = sum(value.shape[1] for value in features.values())
        if size > LARGEST:
            raise Incompatible(
                f"metric 'fd' takes at most {LARGEST} pooled features, here are {size}; choose fewer "
                "layers, such as --extractor timm:MODEL,last=1"
            )
        return HalvedMoments.of(features, like, self.interval)

    @torch.no_grad()
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Return `fd` and, with enough images, `fd/extrapolated`, with errors.

        Raises:
            DataError: Fewer than two samples on a side.
        """
        known, drawn = both(HalvedMoments, reference, sample)
        if min(known.count, drawn.count) < 2:
            raise DataError("metric 'fd' needs at least 2 images on each side; type -n 5000")
        left, right = known.whole(), drawn.whole()
        check_finite("metric 'fd'", reference=left.sums, sample=right.sums)
        if self.statistics is not None:
            mean, cov = (
                x.to(right.sums.device) for x in published(self.statistics, len(right.sums))
            )
            distance = frechet_distance(mean, cov, right.mean(), right.covariance())
            return [MetricValue("fd", float(distance))]
        value = _between(left, right)
        if not self.interval or min(left.count, right.count) <= 2 * len(left.sums):
            return [MetricValue("fd", value)]
        pairs = zip(known.halves(), drawn.halves(), strict=True)
        halves = [_between(a, b) for a, b in pairs]
        error = _error(left, right, known.settled().rows, drawn.settled().rows)
        return [
            MetricValue("fd", value, error),
            MetricValue("fd/extrapolated", 2 * value - sum(halves) / 2, error),
        ]

    def fingerprint(self) -> str:
        """Return what is summarised: full moments of pooled features, in halves if need be."""
        return f"moments-2 covariance=full pool=mean halves={self.interval}"


def frechet_distance(mean_1: Tensor, cov_1: Tensor, mean_2: Tensor, cov_2: Tensor) -> Tensor:
    """Return the Frechet distance of N(mean_1, cov_1) and N(mean_2, cov_2), a float64 scalar >= 0.

    With factors C = L L' the trace of the root is the sum of the singular values of L_1' L_2: real and
    exact to rounding also where covariances are singular (fewer samples than features). The roots of
    the eigenvalues of L_1' C_2 L_1 are the same and cheaper, and are taken where they are as good.

    Args:
        mean_1: (D,).
        cov_1: (D, D), symmetric positive semi-definite.
        mean_2: (D,).
        cov_2: (D, D).
    """
    check_tensors(
        "frechet_distance",
        mean_1=(mean_1, "D"),
        cov_1=(cov_1, "D D"),
        mean_2=(mean_2, "D"),
        cov_2=(cov_2, "D D"),
    )
    check_finite("frechet_distance", mean_1=mean_1, cov_1=cov_1, mean_2=mean_2, cov_2=cov_2)
    gap = (double(mean_1) - double(mean_2)).square().sum()
    spread = _spread(lambda: double(cov_1), lambda: double(cov_2))
    return (gap + spread).clamp(min=0)


def _between(left: MomentSums, right: MomentSums) -> float:
    """Return the distance of two sets."""
    gap = (left.mean() - right.mean()).square().sum()
    return max(float(gap + _spread(left.covariance, right.covariance)), 0.0)


def _spread(cov_1: Callable[[], Tensor], cov_2: Callable[[], Tensor]) -> Tensor:
    """Return tr (C_1 + C_2 - 2 (C_1^1/2 C_2 C_1^1/2)^1/2).

    Covariances are made when they are needed: nothing that is done here takes more memory than one.
    """
    trace = cov_1().diagonal().sum() + cov_2().diagonal().sum()
    spread: Tensor = trace - 2 * _overlap(cov_1, cov_2, float(trace))
    return spread


def _overlap(cov_1: Callable[[], Tensor], cov_2: Callable[[], Tensor], trace: float) -> Tensor:
    """Return tr (C_1^1/2 C_2 C_1^1/2)^1/2."""
    factor, failed = torch.linalg.cholesky_ex(cov_1())
    if not failed:
        inner = _inner(factor, cov_2())
        del factor
        values = torch.linalg.eigvalsh(inner)
        del inner
        noise = float(values[-1].abs()) * ROUNDING * torch.finfo(values.dtype).eps
        roots = values.clamp(min=0).sqrt()
        # An error e of a value is one of e / 2 root in its root, at most root(e).
        doubt = (noise / (2 * roots).clamp(min=math.sqrt(noise) + 1e-300)).sum()
        if float(doubt) <= TRUSTED * trace:
            total: Tensor = roots.sum()
            return total
    overlap: Tensor = torch.linalg.svdvals(_factor(cov_1()).T @ _factor(cov_2())).sum()
    return overlap


def _factor(cov: Tensor) -> Tensor:
    """Return L with L L' = C."""
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(cov)
    return _root(cov) if failed else factor


def _root(cov: Tensor) -> Tensor:
    """Return the same of a singular C, (D, rank): directions that rounding invents are left out."""
    values, vectors = torch.linalg.eigh(cov)
    kept = values > values[-1] * len(values) * torch.finfo(values.dtype).eps
    root: Tensor = vectors[:, kept] * values[kept].sqrt()
    return root


def _inner(factor: Tensor, cov: Tensor) -> Tensor:
    """Return L' C L, of which eigenvalues are taken by its lower half."""
    return factor.T @ (cov @ factor)


def _error(left: MomentSums, right: MomentSums, rows_1: Tensor, rows_2: Tensor) -> float | None:
    """Return the standard error of the distance; None where a covariance is singular.

    With C_1 = L L' and S = L' C_2 L the map is T = L^-T S^1/2 L^-1, and T^-1 = L S^-1/2 L'.
    """
    factor, failed = torch.linalg.cholesky_ex(left.covariance())
    if failed:
        return None
    values, vectors = torch.linalg.eigh(_inner(factor, right.covariance()))
    if float(values[0]) <= float(values[-1]) * len(values) * torch.finfo(values.dtype).eps:
        return None
    gap = left.mean() - right.mean()
    x, y = double(rows_1) - left.mean(), double(rows_2) - right.mean()
    there = torch.linalg.solve_triangular(factor, x.T, upper=False).T @ vectors
    back = y @ factor @ vectors
    influence_1 = 2 * x @ gap + x.square().sum(1) - there.square() @ values.sqrt()
    influence_2 = -2 * y @ gap + y.square().sum(1) - back.square() @ values.rsqrt()
    return math.sqrt(float(influence_1.var() / left.count + influence_2.var() / right.count))
