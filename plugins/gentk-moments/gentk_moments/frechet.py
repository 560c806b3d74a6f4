"""The Frechet distance of two Gaussians fitted to features.

    FD = |m_1 - m_2|^2 + tr(C_1 + C_2 - 2 (C_1^1/2 C_2 C_1^1/2)^1/2)

with means m and unbiased covariances C of pooled features. In the pool3 features of the TensorFlow
Inception network this is FID (M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge
to a Local Nash Equilibrium", NeurIPS 2017, arXiv:1706.08500, eq. 6); gentk computes it in any
extractor's. The estimate is biased upward, the more so the fewer samples: compare only equal counts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gentk.errors import DataError, Incompatible
from gentk.interfaces import Features, Figure, Metric
from gentk.summary import MomentSums, Summary, pooled

__all__ = ["FrechetDistance", "frechet_distance"]

LARGEST = 4096
"""The largest number of pooled features: covariances have its square."""


class FrechetDistance(Metric):
    """Frechet distance in the extractor's features, pooled over positions, all layers together."""

    summary = MomentSums

    def summarise(self, features: Features, like: Summary | None = None) -> MomentSums:
        """Return means and full second moments of pooled features; `Incompatible` if too many."""
        features = pooled(features)
        size = sum(value.shape[1] for value in features.values())
        if size > LARGEST:
            raise Incompatible(
                f"metric 'fd' takes at most {LARGEST} pooled features, here are {size}; choose fewer "
                "layers, such as --extractor timm:MODEL,last=1"
            )
        return MomentSums.of(features, "full", like)

    def figures(self, reference: Summary, sample: Summary, **also: Summary) -> list[Figure]:
        """Return `fd`; raise `DataError` for fewer than two samples on a side."""
        assert isinstance(reference, MomentSums) and isinstance(sample, MomentSums)
        if min(reference.count, sample.count) < 2:
            raise DataError("metric 'fd' needs at least 2 images on each side; type -n 5000")
        value = frechet_distance(
            reference.mean(), reference.covariance(), sample.mean(), sample.covariance()
        )
        return [Figure("fd", float(value), better="lower")]

    def fingerprint(self) -> str:
        """Return what is summarised: full moments of pooled features."""
        return "moments-1 covariance=full pool=mean"


def frechet_distance(mean_1: Tensor, cov_1: Tensor, mean_2: Tensor, cov_2: Tensor) -> Tensor:
    """Return the Frechet distance of N(mean_1, cov_1) and N(mean_2, cov_2), a float64 scalar >= 0.

    The trace of the root is taken from eigenvalues of symmetric matrices only, so singular covariances
    (fewer samples than features) give no NaN and no imaginary part.

    Args:
        mean_1: (D,).
        cov_1: (D, D), symmetric positive semi-definite.
        mean_2: (D,).
        cov_2: (D, D).
    """
    values, vectors = torch.linalg.eigh(cov_1.double())
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    inner = root @ cov_2.double() @ root
    overlap = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp(min=0).sqrt().sum()
    gap = (mean_1.double() - mean_2.double()).square().sum()
    distance: Tensor = gap + cov_1.diagonal().sum() + cov_2.diagonal().sum() - 2 * overlap
    return distance.clamp(min=0)
