"""Random Fourier features of shift-invariant kernels.

A kernel with k(x, y) = E cos(w'(x - y)) is the inner product of

    phi(x) = 1/sqrt(m) [cos(w_1'x), ..., cos(w_m'x), sin(w_1'x), ..., sin(w_m'x)]

in expectation, with an error of order 1/sqrt(m). Frequencies of exp(-|x-y|^2 / (2 s^2)) are normal
with standard deviation 1/s; those of exp(-|x-y|_2 / s) are Cauchy in D dimensions, a normal vector
over |c| s with one normal c. A mixture takes its share of the frequencies for each bandwidth.

Source: A. Rahimi, B. Recht, "Random Features for Large-Scale Kernel Machines", NIPS 2007; pairs rather
than a random phase have the lower variance: D. J. Sutherland, J. Schneider, "On the Error of Random
Fourier Features", UAI 2015, arXiv:1506.02785.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gentk.errors import BadOption, Incompatible

from .explicit import FeatureMap
from .kernels import Convention

__all__ = ["FourierFeatures"]

LARGEST = 2**28
"""The largest number of entries of the matrix of frequencies: a gibibyte."""


class FourierFeatures(FeatureMap):
    """phi of a Gaussian or Laplacian kernel, in cosine and sine pairs.

    Args:
        bandwidths: s_q.
        convention: The kernel's.
        laplacian: Laplacian rather than Gaussian.
        number: m, cosines and sines together; even, at least 2 for each bandwidth.
        seed: Of the frequencies.
    """

    def __init__(
        self,
        bandwidths: Sequence[float],
        convention: Convention,
        *,
        laplacian: bool,
        number: int,
        seed: int,
    ) -> None:
        least = 2 * len(bandwidths)
        if number % 2 or number < least:
            raise BadOption(
                f"loss 'mmd': features=rff+{number} is not an even number from {least}, two for each "
                "bandwidth; write features=rff+1024"
            )
        self.bandwidths = tuple(bandwidths)
        self.convention = convention
        self.laplacian = laplacian
        self.number = number
        self.seed = seed
        self.frequencies: Tensor | None = None

    def __call__(self, rows: Tensor) -> Tensor:
        """Return phi, (N, m) in the rows' type; raise `Incompatible` for too many features."""
        held = self.frequencies
        if held is None or held.shape[0] != rows.shape[1]:
            held = self._draw(rows.shape[1])
        if held.device != rows.device or held.dtype != rows.dtype:
            held = held.to(rows.device, rows.dtype)
        self.frequencies = held
        angles = rows @ held
        scale = self._scale(rows)
        return torch.cat([angles.cos() * scale, angles.sin() * scale], dim=1)

    def _counts(self) -> list[int]:
        """Return the number of frequencies of each bandwidth."""
        least, more = divmod(self.number // 2, len(self.bandwidths))
        return [least + (index < more) for index in range(len(self.bandwidths))]

    def _scale(self, rows: Tensor) -> Tensor:
        """Return the factor of each frequency, (m / 2,), rounded to float32, in the rows' type."""
        share = 1 / len(self.bandwidths) if self.convention == "standard" else 1.0
        counts = self._counts()
        parts = [torch.full((n,), (share / n) ** 0.5, device=rows.device) for n in counts]
        return torch.cat(parts).to(rows.dtype)

    def _draw(self, size: int) -> Tensor:
        """Return the frequencies, (D, m / 2), the same on every machine."""
        if size * self.number // 2 > LARGEST:
            raise Incompatible(
                f"loss 'mmd': {size} features are too many for features=rff+{self.number}; type "
                "pool=mean, or choose fewer layers"
            )
        draw = torch.Generator().manual_seed(self.seed)
        normal = torch.randn(size, self.number // 2, generator=draw, dtype=torch.float64)
        power = 0.5 if self.convention == "gmmn" and not self.laplacian else 1.0
        widths = [s**power for s in self.bandwidths]
        scale = torch.cat(
            [
                torch.full((n,), width, dtype=torch.float64)
                for n, width in zip(self._counts(), widths, strict=True)
            ]
        )
        if self.laplacian:
            scale *= torch.randn(self.number // 2, generator=draw, dtype=torch.float64).abs()
        return normal / scale
