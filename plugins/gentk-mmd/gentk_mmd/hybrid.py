"""The attraction of the hybrid form: all of the data as a weighted set of landmarks.

    mean_r k(x, r)  ~  sum_m a_m k(x, z_m),    a = (K_zz + 1e-6)^-1 mean_r k(z, r)

is the best approximation there is in the span of k(z, .), and exact where every r is a landmark.

Source: iRDM, arXiv:2607.02375.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from gentk.errors import Incompatible
from gentk.precision import double
from gentk.summary import check_finite, check_tensors

from .explicit import FeatureMap
from .gram import gram
from .kernels import Kernel

__all__ = ["CLUSTERED", "LandmarkKernels", "attraction", "centres"]

CLUSTERED = 10
"""How many images k-means is shown for each landmark."""

RIDGE = 1e-6
"""What is added to the diagonal of the landmarks' kernel matrix."""


class LandmarkKernels(FeatureMap):
    """k(z, x) of each landmark, float64.

    Args:
        landmarks: z, (M, D).
        kernel: The kernel.
    """

    def __init__(self, landmarks: Tensor, kernel: Kernel) -> None:
        self.kernel = kernel
        self.landmarks = double(landmarks.detach())

    def __call__(self, rows: Tensor) -> Tensor:
        """Return k(x_i, z_m), (N, M) float64."""
        rows = double(rows)
        if self.landmarks.device != rows.device:
            self.landmarks = self.landmarks.to(rows.device)
        return gram(rows, self.landmarks, self.kernel)


def attraction(means: Tensor, kernels: FeatureMap) -> Tensor:
    """Return a, (M,) float64, given the mean of k(z, r) over the data.

    Args:
        means: (M,) float64.
        kernels: k(z, .).
    """
    if not isinstance(kernels, LandmarkKernels):
        raise Incompatible(
            f"attraction: kernels are LandmarkKernels, not {type(kernels).__name__}; write "
            "LandmarkKernels(landmarks, kernel)"
        )
    check_tensors("attraction", means=(means, "M"), landmarks=(kernels.landmarks, "M D"))
    matrix = kernels(kernels.landmarks).to(means.device)
    matrix.diagonal().add_(RIDGE)
    factor = torch.linalg.cholesky_ex(matrix)[0]
    weights: Tensor = torch.cholesky_solve(means[:, None], factor)[:, 0]
    return weights


def centres(rows: Tensor, number: int, seed: int) -> Tensor:
    """Return the centres of k-means, (number, D), in the type of the rows.

    Args:
        rows: Features of some data, (N, D), N at least `number`.
        number: M.
        seed: Of k-means++.
    """
    check_tensors("centres", {"N": max(1, number)}, rows=(rows, "N D"))
    check_finite("centres", rows=rows)
    # Imported here: it takes a second, and few runs need it.
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    # An array of its own, about whose mean k-means may work: no more copies of what is large.
    wide = rows.detach().cpu().double().numpy()
    wide = wide.copy() if wide.ctypes.data == rows.data_ptr() else wide
    with warnings.catch_warnings():
        # Fewer different images than landmarks: some coincide, and the ridge takes care of them.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = KMeans(number, n_init=1, max_iter=20, random_state=seed, copy_x=False).fit(wide)
    return torch.from_numpy(fitted.cluster_centers_).to(rows)
