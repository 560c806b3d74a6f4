"""Memorisation: whether samples are nearer to the training images than unseen real images are.

With d(.) the distance to the nearest training image, samples y and held-out images x

    memorised = P(d(y) < d(x)) + P(d(y) = d(x)) / 2

over all pairs: 0.5 where samples are as far from the training set as unseen data are, 1 for copies, 0
for samples far from all data. Its error is that of the Mann-Whitney statistic,

    error^2 = var_j F(y_j) / m + var_i G(x_i) / n,    F(y) = P(d(y) < d(x) | y), G(x) the same of x.

Source: C. Meehan, K. Chaudhuri, S. Dasgupta, "A Non-Parametric Test to Detect Data-Copying in
Generative Models", AISTATS 2020, arXiv:2004.05675, section 3 (one cell); E. R. DeLong et al.,
"Comparing the Areas under Two or More Correlated ROC Curves", Biometrics 1988 (the error).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gentk.errors import DataError
from gentk.interfaces import Features, Metric, MetricValue
from gentk.summary import Samples, Summary, both, check_finite, check_tensors, pooled

from .neighbours import Points, radii

__all__ = ["Memorised", "memorised"]

LACKING = (
    "metric 'memorised' needs training, held-out and sample images, two of each or more; type "
    "--data NAME,split=test"
)


class Memorised(Metric):
    """Share of samples closer to the training set than held-out data are, in pooled features."""

    summary = Samples
    also = frozenset({"train"})
    distance = False

    def summarise(self, features: Features, like: Summary | None = None) -> Samples:
        """Return the pooled features themselves."""
        return Samples.of(pooled(features))

    @torch.no_grad()
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Return `memorised`.

        Raises:
            DataError: Without training images, or if the reference images are among them.
        """
        train = also.get("train")
        if train is None:
            raise DataError(LACKING)
        real, drawn = both(Samples, reference, sample)
        trained, _ = both(Samples, train, sample)
        if min(trained.count, real.count, drawn.count) < 2:
            raise DataError(LACKING)
        check_finite(
            "metric 'memorised'", reference=real.rows, sample=drawn.rows, train=trained.rows
        )
        centre = trained.rows.mean(0)
        known = Points(trained.rows, centre)
        held, sampled = (radii(Points(side.rows, centre), known, 1) for side in (real, drawn))
        if float((held == 0).double().mean()) > 0.5:
            raise DataError(
                "metric 'memorised' finds most of the reference among the training images in these "
                "features; type another --extractor, or --data NAME,split=test"
            )
        value, error = memorised(held, sampled)
        return [MetricValue("memorised", value, error, "none")]

    def fingerprint(self) -> str:
        """Return what is summarised: pooled features."""
        return "samples-1 pool=mean"


def memorised(held: Tensor, sampled: Tensor) -> tuple[float, float]:
    """Return P(sampled < held) + P(sampled = held) / 2, and its standard error.

    Args:
        held: (n,), n > 1.
        sampled: (m,), m > 1.
    """
    check_tensors("memorised", {"n": 2, "m": 2}, held=(held, "n"), sampled=(sampled, "m"))
    check_finite("memorised", held=held, sampled=sampled)
    of_sampled = 1 - _below(held, sampled)
    of_held = _below(sampled, held)
    variance = of_sampled.var() / len(sampled) + of_held.var() / len(held)
    return float(of_sampled.mean()), math.sqrt(float(variance))


def _below(values: Tensor, points: Tensor) -> Tensor:
    """Return the share of values below each point, those equal to it counted half; float64."""
    values, points = values.sort().values, points.contiguous()
    low = torch.searchsorted(values, points, right=False)
    high = torch.searchsorted(values, points, right=True)
    return (low + high).cpu().double() / (2 * len(values))
