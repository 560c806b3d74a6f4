"""Kernels: functions of the squared distance t = |x - y|^2, or of the mean product t = <x, y> / D.

    gaussian                 gmmn:     sum_q exp(-t / (2 s_q))       (s is a variance)
                             standard: mean_q exp(-t / (2 s_q^2))    (s is a standard deviation)
    rational-quadratic       sum_a (1 + t / (2 a))^-a,  a in {0.2, 0.5, 1, 2, 5} as published
    rational-quadratic-dot   the same + <x, y>
    laplacian                sum_q or mean_q exp(-sqrt(t) / s_q), in the Euclidean norm, not in L1
    energy                   -sqrt(t): MMD^2 is then the energy distance 2 E|x-y| - E|x-x'| - E|y-y'|
    dot                      <x, y>: MMD^2 is then the squared distance of the means
    polynomial               (<x, y> / D + 1)^3, the kernel of KID

A kernel is evaluated on a tile of t that it may overwrite, in few passes, together with its derivative.
The part <x, y> is linear, its share of MMD^2 needs no matrix, and it is only announced (`linear`).

Source: Y. Li, K. Swersky, R. Zemel, "Generative Moment Matching Networks", ICML 2015, arXiv:1502.02761,
and its released code (the sum, s a variance); M. Binkowski, D. J. Sutherland, M. Arbel, A. Gretton,
"Demystifying MMD GANs", ICLR 2018, arXiv:1801.01401 (rq, rq*, polynomial); D. Sejdinovic,
B. Sriperumbudur, A. Gretton, K. Fukumizu, "Equivalence of distance-based and RKHS-based statistics in
hypothesis testing", Annals of Statistics 2013, arXiv:1207.6076 (energy).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gentk.errors import Incompatible

__all__ = [
    "ALPHAS",
    "BANDWIDTHS",
    "Bounded",
    "Convention",
    "Dot",
    "Energy",
    "Gaussian",
    "Kernel",
    "KernelName",
    "Laplacian",
    "Polynomial",
    "RationalQuadratic",
    "check_kernel",
]

KernelName = Literal[
    "gaussian",
    "rational-quadratic",
    "rational-quadratic-dot",
    "laplacian",
    "energy",
    "dot",
    "polynomial",
]

Convention = Literal["standard", "gmmn"]

BANDWIDTHS = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
"""The mixture of GMMN on MNIST."""

ALPHAS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""The mixture of rational quadratic kernels of MMD GANs."""

HIGHEST_POWER = 64
"""The highest power that a root exponential is raised to: its rounding error is multiplied by it."""


class Kernel(ABC):
    """k(x, y) = f(t) + linear <x, y>.

    Attributes:
        of: What t is: the squared `distance`, the mean `product`, or None where f is 0.
        linear: The factor of <x, y>.
        slope: The factor of what `slopes` returns.
    """

    of: ClassVar[Literal["distance", "product"] | None] = "distance"
    linear: float = 0.0
    slope: float = 1.0

    @abstractmethod
    def values(self, t: Tensor) -> Tensor:
        """Return f(t), of t's shape; `t` may be overwritten, even with the result."""

    @abstractmethod
    def slopes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(t), and `t` overwritten with f'(t) / slope; the two may be one tensor.

        At t = 0 the derivative of a function of sqrt(t) is taken as 0.
        """

    @abstractmethod
    def plain(self, t: Tensor) -> Tensor:
        """Return f(t) by plain operations, with derivatives of every order; `t` stays as it is."""


def check_kernel(kernel: object) -> None:
    """Raise `Incompatible` for what is no kernel."""
    if not isinstance(kernel, Kernel):
        raise Incompatible(
            f"kernel is a kernel, not {kernel!r}; write gentk_mmd.kernels.Gaussian([1.0]), or another "
            "of gentk_mmd.kernels"
        )


class Gaussian(Kernel):
    """A sum or mean of Gaussians; see the module.

    Args:
        bandwidths: s_q, above 0.
        convention: `gmmn` or `standard`.
    """

    def __init__(self, bandwidths: Sequence[float], convention: Convention = "standard") -> None:
        _check_bandwidths(bandwidths)
        power = 2 if convention == "standard" else 1
        rates = [0.5 / s**power for s in bandwidths]
        self.mixture = _Exponentials(rates, 1 / len(rates) if convention == "standard" else 1.0)
        self.slope = self.mixture.slope

    def values(self, t: Tensor) -> Tensor:
        """Return the mixture's values."""
        return self.mixture.values(t)

    def slopes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return values and derivatives."""
        return self.mixture.slopes(t)

    def plain(self, t: Tensor) -> Tensor:
        """Return the mixture's values."""
        return self.mixture.plain(t)


class Laplacian(Kernel):
    """A sum (`gmmn`) or mean (`standard`) of exp(-|x - y|_2 / s_q).

    Args:
        bandwidths: s_q, above 0.
        convention: `gmmn` or `standard`.
    """

    def __init__(self, bandwidths: Sequence[float], convention: Convention = "standard") -> None:
        _check_bandwidths(bandwidths)
        weight = 1 / len(bandwidths) if convention == "standard" else 1.0
        self.mixture = _Exponentials([1 / s for s in bandwidths], weight)
        self.slope = self.mixture.slope / 2

    def values(self, t: Tensor) -> Tensor:
        """Return the mixture's values at sqrt(t)."""
        return self.mixture.values(t.sqrt_())

    def slopes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return values, and derivatives by the chain rule: f'(sqrt t) / (2 sqrt t)."""
        inverse = _inverse_root(t)
        values, slopes = self.mixture.slopes(t.sqrt_())
        if values is slopes:
            values = slopes.clone()
        return values, slopes.mul_(inverse)

    def plain(self, t: Tensor) -> Tensor:
        """Return the mixture's values at sqrt(t)."""
        return self.mixture.plain(_root(t))


class Energy(Kernel):
    """-|x - y|_2, conditionally positive definite: MMD^2 is the energy distance."""

    slope = -0.5

    def values(self, t: Tensor) -> Tensor:
        """Return -sqrt(t)."""
        return t.sqrt_().neg_()

    def slopes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return -sqrt(t), and 1 / sqrt(t) with the factor -1/2 left out."""
        values = t.sqrt().neg_()
        return values, t.copy_(_inverse_root(t))

    def plain(self, t: Tensor) -> Tensor:
        """Return -sqrt(t)."""
        return -_root(t)


class RationalQuadratic(Kernel):
    """sum_a (1 + t / (2 a))^-a, and <x, y> if asked for.

    Args:
        alphas: a, above 0.
        dot: Add <x, y> (rq*).
    """

    slope = -0.5

    def __init__(self, alphas: Sequence[float] = ALPHAS, dot: bool = False) -> None:
        self.alphas = tuple(alphas)
        self.linear = 1.0 if dot else 0.0

    def values(self, t: Tensor) -> Tensor:
        """Return the sum."""
        return self._sums(t)[0]

    def slopes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum, and sum_a (1 + t / (2 a))^-(a + 1) with the factor -1/2 left out."""
        values, slopes = self._sums(t)
        return values, t.copy_(slopes)

    def _sums(self, t: Tensor) -> tuple[Tensor, Tensor]:
        values, slopes = torch.zeros_like(t), torch.zeros_like(t)
        for alpha in self.alphas:
            base = torch.mul(t, 0.5 / alpha).add_(1).reciprocal_()
            raised = _power(base, alpha)
            values.add_(raised)
            slopes.addcmul_(raised, base)
        return values, slopes

    def plain(self, t: Tensor) -> Tensor:
        """Return the sum."""
        terms = [(1 + t / (2 * alpha)) ** -alpha for alpha in self.alphas]
        return torch.stack(terms).sum(0)


class Dot(Kernel):
    """<x, y>: compares means only."""

    of = None
    linear = 1.0

    def values(self, t: Tensor) -> Tensor:
        """Return 0: the linear part is all there is."""
        return t.zero_()

    def slopes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return 0 twice."""
        return t.zero_(), t

    def plain(self, t: Tensor) -> Tensor:
        """Return 0."""
        return torch.zeros_like(t)


class Bounded(Kernel):
    """k at a squared distance that is brought within bounds: a pair beyond them has no gradient.

    Args:
        kernel: A kernel of the distance alone.
        low: The least squared distance.
        high: The largest; infinity for no bound.
    """

    def __init__(self, kernel: Kernel, *, low: float = 0.0, high: float = math.inf) -> None:
        self.kernel = kernel
        self.low = low
        self.high = high
        self.slope = kernel.slope

    def values(self, t: Tensor) -> Tensor:
        """Return f(min(max(t, low), high))."""
        return self.kernel.values(t.clamp_(self.low, self.high))

    def slopes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values, and derivatives that are 0 beyond the bounds."""
        beyond = (t < self.low) | (t > self.high)
        values, slopes = self.kernel.slopes(t.clamp_(self.low, self.high))
        values = slopes.clone() if values is slopes else values
        return values, slopes.masked_fill_(beyond, 0)

    def plain(self, t: Tensor) -> Tensor:
        """Return f(min(max(t, low), high))."""
        return self.kernel.plain(t.clamp(self.low, self.high))


class Polynomial(Kernel):
    """(<x, y> / D + 1)^degree.

    Args:
        degree: A whole number from 1.
    """

    of = "product"

    def __init__(self, degree: int = 3) -> None:
        self.degree = degree
        self.slope = float(degree)

    def values(self, t: Tensor) -> Tensor:
        """Return (t + 1)^degree."""
        return _power(t.add_(1), self.degree)

    def slopes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return (t + 1)^degree, and (t + 1)^(degree - 1) with the factor degree left out."""
        base = t + 1
        torch.pow(base, self.degree - 1, out=t)
        return base.mul_(t), t

    def plain(self, t: Tensor) -> Tensor:
        """Return (t + 1)^degree."""
        return (t + 1) ** self.degree


def _check_bandwidths(bandwidths: object) -> None:
    """Refuse what are no numbers above 0."""
    numbers = list(bandwidths) if isinstance(bandwidths, Sequence) else []
    if not numbers or not all(isinstance(s, (int, float)) and 0 < s < math.inf for s in numbers):
        raise Incompatible(
            f"bandwidths are one or more numbers above 0, not {bandwidths!r}; write [1.0]"
        )


class _Exponentials:
    """u -> weight * sum_q exp(-rate_q u), and its derivative.

    Rates that are whole multiples of another need no exponential of their own: powers of
    e = exp(-rate u) are made by multiplication, which takes a tenth of an exponential's time.
    """

    def __init__(self, rates: Sequence[float], weight: float) -> None:
        self.rates = tuple(rates)
        self.single = len(rates) == 1
        self.weight = weight
        self.groups: list[tuple[float, list[_Step]]] = []
        left = sorted(rates)
        while left:
            root = left[0]
            powers = [p for p in (_whole(rate / root) for rate in left) if p is not None]
            left = [rate for rate in left if _whole(rate / root) is None]
            self.groups.append((root, _steps(powers)))
        self.slope = -rates[0] * weight if self.single else 1.0

    def values(self, u: Tensor) -> Tensor:
        """Return the values; `u` is overwritten."""
        if self.single:
            root, _ = self.groups[0]
            values = u.mul_(-root).exp_()
            return values if self.weight == 1 else values.mul_(self.weight)
        return self._sums(u, False)[0]

    def slopes(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values, and `u` overwritten with the derivatives over `slope`."""
        if self.single:
            values = self.values(u)
            return values, values
        values, slopes = self._sums(u, True)
        return values, u.copy_(slopes)

    def _sums(self, u: Tensor, derive: bool) -> tuple[Tensor, Tensor]:
        values = torch.zeros_like(u)
        slopes = torch.zeros_like(u) if derive else values
        for root, steps in self.groups:
            powers = {1: torch.mul(u, -root).exp_()}
            for step in steps:
                factor, steep = (
                    step.times * self.weight,
                    -step.times * self.weight * root * step.power,
                )
                if step.kept:
                    powers[step.power] = power = (
                        powers[1] if step.power == 1 else powers[step.left] * powers[step.right]
                    )
                    if step.times:
                        values.add_(power, alpha=factor)
                        if derive:
                            slopes.add_(power, alpha=steep)
                    continue
                values.addcmul_(powers[step.left], powers[step.right], value=factor)
                if derive:
                    slopes.addcmul_(powers[step.left], powers[step.right], value=steep)
        return values, slopes

    def plain(self, u: Tensor) -> Tensor:
        """Return the values, each exponential by itself."""
        return self.weight * torch.stack([torch.exp(-rate * u) for rate in self.rates]).sum(0)


class _Step:
    """One power of the root exponential: the product of two earlier ones.

    Attributes:
        power: The power; 1 is the root itself.
        left: A power made before, and
        right: another, that add up to it.
        times: How often it is in the sum; 0 for one that others are made of.
        kept: Whether others are made of it.
    """

    def __init__(self, power: int, left: int, right: int, times: int) -> None:
        self.power, self.left, self.right, self.times = power, left, right, times
        self.kept = power == 1


def _steps(powers: Sequence[int]) -> list[_Step]:
    """Return the products that make all powers, in order; the same power may be wanted twice."""
    steps = {1: _Step(1, 0, 0, powers.count(1))}

    def make(power: int) -> None:
        if power in steps:
            return
        left = next((p for p in steps if power - p in steps), power // 2)
        for part in (left, power - left):
            make(part)
            steps[part].kept = True
        steps[power] = _Step(power, left, power - left, powers.count(power))

    for power in sorted(set(powers)):
        make(power)
    return list(steps.values())


def _whole(ratio: float) -> int | None:
    """Return a ratio that is a whole number, and low enough, as such."""
    nearest = round(ratio)
    return nearest if abs(ratio - nearest) <= 1e-6 and nearest <= HIGHEST_POWER else None


def _inverse_root(t: Tensor) -> Tensor:
    """Return 1 / sqrt(t), and 0 at 0."""
    return t.rsqrt().nan_to_num_(nan=torch.nan, posinf=0.0)


def _root(t: Tensor) -> Tensor:
    """Return sqrt(t), whose derivatives at 0 are 0."""
    positive = t > 0
    return torch.where(positive, torch.where(positive, t, 1).sqrt(), 0)


def _power(base: Tensor, exponent: float) -> Tensor:
    """Return base^exponent, without logarithms for the usual exponents."""
    if exponent == 0.5:
        return base.sqrt()
    if exponent == 1:
        return base
    if exponent == 5:
        square = base.square()
        return square.square_().mul_(base)
    return torch.pow(base, exponent)
