"""Nystrom features: the kernel's own features, projected to those of m landmarks.

    phi(x) = K_zz^-1/2 k(z, x),    <phi(x), phi(y)> = k(x, z) K_zz^-1 k(z, y)

is exact at the landmarks z, samples of the data, and shrinks far from them: a kernel narrower than the
landmarks lie apart sees less of outliers than `mmd` itself. The root comes from eigenvalues in float64;
directions below 1e-10 of the largest are left out.

Source: C. K. I. Williams, M. Seeger, "Using the Nystrom Method to Speed Up Kernel Machines", NIPS 2000.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gentk.precision import double

from .explicit import FeatureMap
from .gram import gram
from .kernels import Kernel

__all__ = ["NystromFeatures"]

SMALLEST = 1e-10
"""Eigenvalues below this share of the largest are rounding."""


class NystromFeatures(FeatureMap):
    """phi of any positive definite kernel; float64, for its root divides by small numbers.

    Args:
        landmarks: z, (m, D), samples of the data.
        kernel: The kernel.
    """

    def __init__(self, landmarks: Tensor, kernel: Kernel) -> None:
        self.kernel = kernel
        self.landmarks = landmarks.detach().cpu().double()
        values, vectors = torch.linalg.eigh(gram(self.landmarks, self.landmarks, kernel))
        kept = values > SMALLEST * values[-1]
        inverse = torch.where(kept, values, 1.0).rsqrt() * kept
        self.root = vectors * inverse @ vectors.T

    def __call__(self, rows: Tensor) -> Tensor:
        """Return phi, (N, m) float64, on the CPU where the rows' device has none."""
        rows = double(rows)
        if self.root.device != rows.device:
            self.root, self.landmarks = self.root.to(rows.device), self.landmarks.to(rows.device)
        features: Tensor = gram(rows, self.landmarks, self.kernel) @ self.root
        return features
