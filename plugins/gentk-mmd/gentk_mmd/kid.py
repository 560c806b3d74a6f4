"""The kernel distance: unbiased MMD^2 of pooled features under k(x, y) = (<x, y> / D + 1)^3.

    KID = mean over S subsets of the MMD^2 of m images of each side, error = std / sqrt(S)

In the pool3 features of the TensorFlow Inception network this is KID; gentk computes it in any
extractor's. It is unbiased: it may be slightly negative, and more images do not make it smaller.

Source: M. Binkowski, D. J. Sutherland, M. Arbel, A. Gretton, "Demystifying MMD GANs", ICLR 2018,
arXiv:1801.01401, section 4 (100 subsets of 1,000, drawn without replacement).
"""

from __future__ import annotations

from typing import Literal

import torch

from gentk.errors import BadOption, DataError
from gentk.interfaces import Features, Figure, Metric
from gentk.summary import Samples, Summary, pooled

from .discrepancy import mmd2
from .kernels import Polynomial

__all__ = ["KernelDistance"]


class KernelDistance(Metric):
    """KID in the extractor's features, pooled over positions, all layers together.

    Args:
        subsets: S; the same ones in every evaluation.
        subset_size: m; `all` compares all images once and knows no error.
        degree: Of the polynomial.
    """

    summary = Samples

    def __init__(
        self, *, subsets: int = 100, subset_size: int | Literal["all"] = 1000, degree: int = 3
    ) -> None:
        if subsets < 1:
            raise BadOption(f"metric 'kid': subsets is 1 or more, not {subsets}; write subsets=100")
        if subset_size != "all" and subset_size < 2:
            raise BadOption(
                f"metric 'kid': subset_size is 2 or more, or all, not {subset_size}; write "
                "subset_size=1000"
            )
        if degree < 1:
            raise BadOption(f"metric 'kid': degree is 1 or more, not {degree}; write degree=3")
        self.subsets = subsets
        self.subset_size = subset_size
        self.degree = degree

    def summarise(self, features: Features, like: Summary | None = None) -> Samples:
        """Return the pooled features themselves."""
        return Samples.of(pooled(features))

    @torch.no_grad()
    def figures(self, reference: Summary, sample: Summary, **also: Summary) -> list[Figure]:
        """Return `kid`; raise `DataError` for fewer images than a subset takes."""
        assert isinstance(reference, Samples) and isinstance(sample, Samples)
        kernel = Polynomial(self.degree)
        least = min(reference.count, sample.count)
        size = 2 if self.subset_size == "all" else self.subset_size
        if least < size:
            raise DataError(
                f"metric 'kid' needs at least {size} images on each side, here are {least}; type "
                f"-n {size}, or --metric kid,subset_size=all"
            )
        if self.subset_size == "all":
            whole = mmd2(reference.rows, sample.rows, kernel, unbiased=True)
            return [Figure("kid", float(whole))]
        draw = torch.Generator().manual_seed(0)
        values = []
        for _ in range(self.subsets):
            real, made = (
                side.take(torch.randperm(side.count, generator=draw)[:size]).rows
                for side in (reference, sample)
            )
            values.append(mmd2(real, made, kernel, unbiased=True))
        found = torch.stack(values)
        error = float(found.std() / self.subsets**0.5) if self.subsets > 1 else None
        return [Figure("kid", float(found.mean()), error)]

    def fingerprint(self) -> str:
        """Return what is summarised: pooled features."""
        return "samples-1 pool=mean"
