"""The choice of a kernel, as options say it: a name, bandwidths, a convention.

With `bandwidths=median` there is one bandwidth s, from up to 1,000 samples of the data:

    s = median_{i<j} |x_i - x_j|        (convention=gmmn, where s is a variance: its square)

Source: A. Gretton, K. Borgwardt, M. Rasch, B. Schoelkopf, A. Smola, "A Kernel Two-Sample Test", JMLR
13:723-773, 2012, section 8 (the median heuristic).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from gentk.errors import BadOption, DataError, Incompatible

from .kernels import (
    ALPHAS,
    BANDWIDTHS,
    Convention,
    Dot,
    Energy,
    Gaussian,
    Kernel,
    KernelName,
    Laplacian,
    Polynomial,
    RationalQuadratic,
)

__all__ = ["MEDIAN_OF", "KernelChoice"]

MEDIAN_OF = 1000
"""How many samples of the data the median distance is taken of."""

WITH_BANDWIDTHS = ("gaussian", "laplacian")


@dataclass(frozen=True)
class KernelChoice:
    """A kernel as it was asked for; the bandwidth may have to wait for the data.

    Attributes:
        owner: Who is asking, for messages: `loss 'mmd'`.
        name: The kernel's name.
        written: The bandwidths as the option has them: numbers, or the one word `median`.
        convention: `standard` or `gmmn`.
        alphas: The exponents of the rational quadratic kernels.
    """

    owner: str
    name: KernelName
    written: tuple[float, ...] | tuple[str, ...]
    convention: Convention
    alphas: tuple[float, ...] = ALPHAS

    def __post_init__(self) -> None:
        if self.name not in get_args(KernelName):
            raise BadOption(
                f"{self.owner} has no kernel {self.name!r}; write kernel=gaussian, or one of "
                f"{', '.join(get_args(KernelName))}"
            )
        if not self.median and not self.bandwidths:
            raise self._refusal()
        if self.name not in WITH_BANDWIDTHS and tuple(self.written) not in (
            BANDWIDTHS,
            ("median",),
        ):
            raise Incompatible(
                f"{self.owner}: kernel={self.name} has no bandwidths; leave them out, or write "
                "kernel=gaussian"
            )

        if not self.alphas or not all(0 < alpha < float("inf") for alpha in self.alphas):
            raise BadOption(
                f"{self.owner}: alphas are numbers above 0, not {'+'.join(map(str, self.alphas))!r}; "
                "write alphas=0.2+0.5+1+2+5"
            )
        if tuple(self.alphas) != ALPHAS and not self.name.startswith("rational-quadratic"):
            raise Incompatible(
                f"{self.owner}: kernel={self.name} has no alphas; leave them out, or write "
                "kernel=rational-quadratic"
            )

    @property
    def median(self) -> bool:
        """Whether the bandwidth is the median distance of the data."""
        return tuple(self.written) == ("median",) and self.name in WITH_BANDWIDTHS

    @property
    def bandwidths(self) -> tuple[float, ...]:
        """The bandwidths as numbers; none for `median`."""
        if tuple(self.written) == ("median",):
            return () if self.median else BANDWIDTHS
        try:
            numbers = tuple(float(text) for text in self.written)
        except ValueError:
            raise self._refusal() from None
        if not all(0 < number < float("inf") for number in numbers):
            raise self._refusal()
        return numbers

    def settle(self, rows: Tensor | None = None) -> tuple[float, ...]:
        """Return the bandwidths, given samples of the data (N, D) where the median is wanted."""
        if not self.median:
            return self.bandwidths
        if rows is None:
            raise ValueError("bandwidths=median needs samples of the data first")
        middle = _median_distance(rows[:MEDIAN_OF])
        if not middle > 0:
            raise DataError(
                f"{self.owner}: the median distance of the data's features is {middle}; write "
                "bandwidths=2+5+10"
            )
        return (middle if self.convention == "standard" or self.name == "laplacian" else middle**2,)

    def kernel(self, bandwidths: tuple[float, ...]) -> Kernel:
        """Return the kernel with these bandwidths, which only two of the kernels have."""
        match self.name:
            case "gaussian":
                return Gaussian(bandwidths, self.convention)
            case "laplacian":
                return Laplacian(bandwidths, self.convention)
            case "energy":
                return Energy()
            case "dot":
                return Dot()
            case "polynomial":
                return Polynomial()
            case "rational-quadratic" | "rational-quadratic-dot":
                return RationalQuadratic(self.alphas, dot=self.name.endswith("dot"))

    def __str__(self) -> str:
        """Return the options that decide the kernel."""
        sizes = "+".join(str(size) for size in self.written)
        text = f"kernel={self.name} bandwidths={sizes} convention={self.convention}"
        # Unsaid where they are the published ones, so that what was cached before is still read.
        return text if self.alphas == ALPHAS else f"{text} alphas={'+'.join(map(str, self.alphas))}"

    def _refusal(self) -> BadOption:
        text = "+".join(str(size) for size in self.written)
        return BadOption(
            f"{self.owner}: bandwidths are numbers above 0, or median, not {text!r}; write "
            "bandwidths=2+5+10"
        )


def _median_distance(rows: Tensor) -> float:
    """Return the median over pairs of the Euclidean distance of rows (N, D), in float64."""
    if len(rows) < 2:
        return 0.0
    centred = rows.detach().cpu().double()
    centred = centred - centred.mean(0)
    squares = centred.square().sum(1)
    distances = squares[:, None] + squares - 2 * centred @ centred.T
    upper = torch.triu_indices(len(rows), len(rows), 1)
    return float(distances[upper[0], upper[1]].clamp(min=0).median().sqrt())
