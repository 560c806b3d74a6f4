"""The kernel distance: unbiased MMD^2 of pooled features under k(x, y) = (<x, y> / D + 1)^3.

    KID = mean over S subsets of the MMD^2 of m images of each side

Its error is that of the images, `gentk_mmd.influence`, and that of the choice of subsets, std / sqrt(S),
together: std / sqrt(S) alone, as it is often printed, says nothing of how other images would do. The
value +- 1.96 errors covers at 95 % (measured in tests), also where the laws are the same. In the pool3
features of the TensorFlow Inception network this is KID; gentk computes it in any extractor's. It is
unbiased: it may be slightly negative, and more images do not make it smaller.

Source: M. Binkowski, D. J. Sutherland, M. Arbel, A. Gretton, "Demystifying MMD GANs", ICLR 2018,
arXiv:1801.01401, section 4 (100 subsets of 1,000, drawn without replacement).
"""

from __future__ import annotations

import math
from typing import Literal

import torch

from gentk.errors import BadOption, DataError
from gentk.interfaces import Features, Metric, MetricValue
from gentk.summary import Samples, Summary, both, check_finite, pooled

from .influence import Influences, Pairs
from .kernels import Polynomial

__all__ = ["KernelDistance"]


class KernelDistance(Metric):
    """KID in the extractor's features, pooled over positions, all layers together.

    Maps are averaged over space, tokens over all of them, class tokens too, unless the extractor pools:
    `timm:MODEL,pool=mean` takes patches, `pool=cls` the class token. The protocol says which.

    Args:
        subsets: S; the same ones in every evaluation.
        subset_size: m; `all` compares all images once, which is the better estimate.
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
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Return `kid`; raise `DataError` for fewer images than a subset takes."""
        known, drawn = both(Samples, reference, sample)
        kernel = Polynomial(self.degree)
        least = min(known.count, drawn.count)
        size = 2 if self.subset_size == "all" else self.subset_size
        if least < size:
            raise DataError(
                f"metric 'kid' needs at least {size} images on each side, here are {drawn.count} "
                f"samples and {known.count} of the reference; type "
                "--metric kid,subset_size=all, or compare more"
            )
        check_finite("metric 'kid'", reference=known.rows, sample=drawn.rows)
        draw = torch.Generator().manual_seed(0)
        sides = (known.rows, drawn.rows)
        counts = (known.count, drawn.count)
        influences = Influences(counts)
        turns = 1 if self.subset_size == "all" else self.subsets
        # One place for all subsets: a new one each time costs more than filling it.
        places = [
            side.new_empty(0 if self.subset_size == "all" else size, side.shape[1])
            for side in sides
        ]
        values = []
        for _ in range(turns):
            if self.subset_size == "all":
                chosen = (torch.arange(counts[0]), torch.arange(counts[1]))
                rows = sides
            else:
                left, right = (
                    torch.randperm(n, generator=draw)[:size].sort().values for n in counts
                )
                chosen = (left, right)
                rows = (
                    torch.index_select(sides[0], 0, left.to(sides[0].device), out=places[0]),
                    torch.index_select(sides[1], 0, right.to(sides[1].device), out=places[1]),
                )
            pairs = Pairs.of(*rows, kernel)
            influences.add(pairs, chosen)
            values.append(pairs.mmd2())
        estimates = torch.tensor(values, dtype=torch.float64)
        choice = float(estimates.std() / turns**0.5) if turns > 1 else 0.0
        return [MetricValue("kid", float(estimates.mean()), math.hypot(influences.error(), choice))]

    def fingerprint(self) -> str:
        """Return what is summarised: pooled features."""
        return "samples-1 pool=mean"
