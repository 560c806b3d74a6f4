"""Precision, recall, density and coverage: what of the samples is real, what of the data is reached.

With r_k(x) the distance of x to its k-th nearest neighbour in its own set, real x_1..x_n and samples
y_1..y_m

    precision = mean_j 1[some i: |y_j - x_i| <= r_k(x_i)]
    recall    = mean_i 1[some j: |x_i - y_j| <= r_k(y_j)]
    density   = sum_ij 1[|y_j - x_i| <= r_k(x_i)] / (k m)
    coverage  = mean_i 1[some j: |x_i - y_j| <= r_k(x_i)]

With `<=` identical sets have precision, recall and coverage 1; a strict comparison gives 0 where images
are repeated. Expected values of coverage and density depend on n, m and k: compare only equal ones.

Source: T. Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models",
NeurIPS 2019, arXiv:1904.06991, eqs. 1-2 (k = 3); M. F. Naeem et al., "Reliable Fidelity and Diversity
Metrics for Generative Models", ICML 2020, arXiv:2002.09797, eqs. 3-4 (k = 5).
"""

from __future__ import annotations

import torch
from torch import Tensor

from gentk.errors import BadOption, DataError
from gentk.interfaces import Features, Metric, MetricValue
from gentk.summary import Samples, Summary, both, check_finite, check_tensors, pooled

from .neighbours import Points, radii, rows_of

__all__ = ["PRDC", "prdc"]

NAMES = ("precision", "recall", "density", "coverage")


class PRDC(Metric):
    """Precision, recall, density and coverage in the extractor's features, pooled over positions.

    Args:
        k: Which nearest neighbour spans a ball; 5 as Naeem et al., 3 as Kynkaanniemi et al.
    """

    summary = Samples

    def __init__(self, *, k: int = 5) -> None:
        if k < 1:
            raise BadOption(f"metric 'prdc': k is 1 or more, not {k}; write k=5")
        self.k = k

    def summarise(self, features: Features, like: Summary | None = None) -> Samples:
        """Return the pooled features themselves."""
        return Samples.of(pooled(features))

    @torch.no_grad()
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Return the four; raise `DataError` for too few images to have a k-th neighbour."""
        real, drawn = both(Samples, reference, sample)
        if min(real.count, drawn.count) <= self.k:
            raise DataError(
                f"metric 'prdc' with k={self.k} needs more than {self.k} images on each side, here "
                f"are {drawn.count} samples and {real.count} of the reference; type "
                "--metric prdc,k=1, or compare more"
            )
        check_finite("metric 'prdc'", reference=real.rows, sample=drawn.rows)
        values = prdc(real.rows, drawn.rows, self.k)
        return [MetricValue(n, v, direction="higher") for n, v in zip(NAMES, values, strict=True)]

    def fingerprint(self) -> str:
        """Return what is summarised: pooled features."""
        return "samples-1 pool=mean"


def prdc(real: Tensor, generated: Tensor, k: int) -> tuple[float, float, float, float]:
    """Return precision, recall, density and coverage.

    Args:
        real: (N, D), N > k.
        generated: (M, D), M > k.
        k: Which nearest neighbour spans a ball.
    """
    check_tensors(
        "prdc", {"N": k + 1, "M": k + 1}, real=(real, "N D"), generated=(generated, "M D")
    )
    check_finite("prdc", real=real, generated=generated)
    centre = real.mean(0)
    data, samples = Points(real, centre), Points(generated, centre)
    around_data, around_samples = radii(data, data, k), radii(samples, samples, k)
    precise = inside = 0
    recalled = torch.zeros(len(data), dtype=torch.bool, device=real.device)
    nearest = torch.full_like(around_data, torch.inf)
    for start, distances in rows_of(samples, data):
        balls = distances <= around_data
        precise += int(balls.any(1).sum())
        inside += int(balls.sum())
        own = around_samples[start : start + len(distances), None]
        recalled |= (distances <= own).any(0)
        nearest = torch.minimum(nearest, distances.amin(0))
    covered = int((nearest <= around_data).sum())
    return (
        precise / len(samples),
        int(recalled.sum()) / len(data),
        inside / (k * len(samples)),
        covered / len(data),
    )
