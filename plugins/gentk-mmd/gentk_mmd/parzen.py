"""The Parzen window estimate of the log-likelihood of test images, in nats.

With samples s_1..s_N of d pixels

    log p(x) = log sum_i exp(-|x - s_i|^2 / (2 sigma^2)) - log N - d/2 log(2 pi sigma^2).

sigma is the one of a grid with the highest mean over validation images; the figure is the mean over test
images, its error std / sqrt(n). It is known to say little about samples: for comparison with published
tables only (L. Theis, A. van den Oord, M. Bethge, arXiv:1511.01844).

Source: O. Breuleux, Y. Bengio, P. Vincent, "Quickly Generating Representative Samples from an
RBM-Derived Process", Neural Computation 2011; as in the released code of GMMN (arXiv:1502.02761):
10,000 samples, grid 0.10 to 0.29 on MNIST, 0.05 to 0.24 on TFD.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gentk.errors import BadOption, DataError
from gentk.interfaces import Features, Metric, MetricValue
from gentk.precision import double, widest
from gentk.summary import Samples, Summary, both, check_finite, check_tensors

__all__ = ["Parzen", "log_likelihoods"]

BLOCK = 2**21
"""Distances that are worked on at a time."""

LACKING = (
    "metric 'parzen' needs validation images, samples and at least 2 test images; type "
    "--data NAME,validation=1000"
)


class Parzen(Metric):
    """Mean log-likelihood of test images under a window on samples, sigma chosen on validation images.

    Args:
        low: The lowest sigma of the grid, in units of pixel values in [0, 1].
        high: The highest.
        step: The distance of two.
    """

    summary = Samples
    also = frozenset({"validation"})
    extractor = "pixels"

    def __init__(self, *, low: float = 0.10, high: float = 0.29, step: float = 0.01) -> None:
        if not (0 < low <= high < math.inf and 0 < step < math.inf):
            raise BadOption(
                f"metric 'parzen': low={low}, high={high}, step={step} is no grid above 0; write "
                "low=0.1,high=0.29,step=0.01"
            )
        count = int((high - low) / step + 1e-6) + 1
        self.grid = [round(low + index * step, 9) for index in range(count)]

    def summarise(self, features: Features, like: Summary | None = None) -> Samples:
        """Return the pixels themselves."""
        return Samples.of(features)

    @torch.no_grad()
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Return `parzen` and `parzen/sigma`; raise `DataError` without validation or test images."""
        validation = also.get("validation")
        test, drawn = both(Samples, reference, sample)
        if validation is None:
            raise DataError(LACKING)
        known, _ = both(Samples, validation, sample)
        if min(known.count, drawn.count) < 1 or test.count < 2:
            raise DataError(LACKING)
        check_finite(
            "metric 'parzen'", reference=test.rows, sample=drawn.rows, validation=known.rows
        )
        means = log_likelihoods(known.rows, drawn.rows, self.grid).mean(0)
        sigma = self.grid[int(means.argmax())]
        values = log_likelihoods(test.rows, drawn.rows, [sigma])[:, 0]
        error = float(values.std()) / math.sqrt(len(values))
        return [
            MetricValue("parzen", float(values.mean()), error, "higher"),
            MetricValue("parzen/sigma", sigma),
        ]

    def fingerprint(self) -> str:
        """Return what is summarised: features as they are."""
        return "samples-1 pool=none"


def log_likelihoods(x: Tensor, samples: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Return log p(x) in nats for each point and each sigma, (n, len(sigmas)) float64.

    Distances are made once for all sigmas, block by block; sums are about the nearest sample, so that
    they do not underflow.

    Args:
        x: Points, (n, d).
        samples: Centres of the window, (N, d).
        sigmas: Standard deviations of the window.
    """
    check_tensors("log_likelihoods", x=(x, "n d"), samples=(samples, "N d"))
    wide = widest(x.device)
    centres = samples.to(wide)
    middle = centres.mean(0)
    centres = centres - middle
    squares = centres.square().sum(1)
    count, size = centres.shape
    blocks = []
    for part in x.split(max(1, BLOCK // count)):
        rows = part.to(wide) - middle
        t = torch.addmm(squares, rows, centres.T, alpha=-2)
        t.add_(rows.square().sum(1, keepdim=True)).clamp_(min=0)
        nearest = t.amin(1, keepdim=True)
        t.sub_(nearest)
        room = torch.empty_like(t)
        columns = []
        for sigma in sigmas:
            rate = 0.5 / sigma**2
            total = torch.mul(t, -rate, out=room).exp_().sum(1)
            constant = math.log(count) + size / 2 * math.log(2 * math.pi * sigma**2)
            columns.append(total.log_() - rate * nearest[:, 0] - constant)
        blocks.append(torch.stack(columns, dim=1))
    return double(torch.cat(blocks))
