"""Covariances learned as those of an affine denoiser, one Adam step a batch.

In units in which the data's covariance is 1, let x have the covariance S, and let K be the linear map
that best takes noise from x + e, e ~ N(0, 1):

    f(K) = E |x - K (x + e)|^2 = tr(S - 2 K S + K (S + 1) K),    K* = S (S + 1)^-1.

K is kept as P (P + 1)^-1 with P = M M', so that P, which is S at the optimum, is positive whatever
steps are taken. With W = (P + 1)^-1, K = 1 - W, the gradient in M for a batch's S is

    G = W (K (S + 1) - S) W,    df/dM = 2 (G + G') M,

linear in S: the noise of batches averages out. It takes one Cholesky factor a step, and no root of a
matrix. Statistics that are no covariances (of the kind `real`) are followed as `ama` does.

Source: AMFD, arXiv:2607.26860, whose denoisers are small networks, affine in their input, that learn
a flow's velocity from samples; this is their optimum's form, learned from a batch's second moments.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import StatisticKind, Statistics
from gentk.precision import double
from gentk.summary import check_batch, check_statistics, check_tensors

from .ama import AdamMovingAverage

__all__ = ["AffineDenoiser", "slope"]

SMALLEST = 1e-6
"""What is added to the data's covariance before its root, as a share of its mean variance."""


class AffineDenoiser(AdamMovingAverage):
    """C = R M M' R' with the data's covariance R R'; M takes Adam steps on a denoiser's error.

    Args:
        lr: Adam's learning rate for M, whose units are the data's standard deviations.
        mean_lr: Adam's learning rate for other statistics, in their own units: `ama`'s.
        betas: Adam's decay rates.
        seeding: Number of samples of the first generator to start from; 0 starts from the data's
            statistics.
        scale: Factor of the gradient; the tracked value is not scaled.
    """

    owner: ClassVar[str] = "estimator 'denoiser'"
    accepts: ClassVar[frozenset[StatisticKind]] = frozenset({"real", "psd"})

    def __init__(
        self,
        *,
        lr: float = 1e-2,
        mean_lr: float = 1e-2,
        betas: tuple[float, float] = (0.5, 0.999),
        seeding: int = 0,
        scale: float = 1.0,
    ) -> None:
        if lr <= 0 or mean_lr <= 0:
            raise BadOption(
                f"{self.owner}: lr and mean-lr are above 0, not {lr} and {mean_lr}; write "
                "lr=1e-2,mean-lr=1e-2"
            )
        super().__init__(lr=mean_lr, betas=betas, seeding=seeding, scale=scale)
        self.covariance_lr = lr

    def start(self, data: Statistics, seed: Statistics | None = None) -> None:
        """Make, per covariance, its root R, M and Adam's moments of its gradient.

        Raises:
            Incompatible: A covariance of the data is 0.
        """
        check_statistics(self.owner, data)
        plain = [name for name in data if self.kinds.get(name) != "psd"]
        own = None if seed is None else {name: seed[name] for name in plain}
        super().start({name: data[name] for name in plain}, own)
        for name in data.keys() - set(plain):
            # Roots and their inverses are those of float64, whatever type they are wanted in.
            root = _root(double(data[name]))
            if not (root if root.dim() == 1 else root.diagonal()).all():
                raise Incompatible(
                    f"{self.owner}: the data's {name!r} is 0, their features do not vary, and there "
                    "is no unit to measure the model's in; type --estimator ema, or choose other layers"
                )
            begin = (
                torch.ones_like(root)
                if root.dim() == 1
                else torch.eye(len(root), dtype=root.dtype, device=root.device)
            )
            if seed is not None:
                begin = _root(_whitened(double(seed[name]), root))
            self.register_buffer(f"root_{name}", root)
            self.register_buffer(f"factor_{name}", begin)
            self.register_buffer(f"first_{name}", torch.zeros_like(begin))
            self.register_buffer(f"second_{name}", torch.zeros_like(begin))
            self.register_buffer(f"steps_{name}", torch.zeros((), device=begin.device))

    def forward(self, model: Statistics, data: Statistics) -> Statistics:
        """Take in one batch; return data - v, and C of covariances."""
        following = {*self.following("gap_"), *self.following("factor_")}
        check_batch(self.owner, model, data, following)
        plain = {name: v for name, v in model.items() if f"factor_{name}" not in self._buffers}
        tracked = super().forward(plain, data)
        for name in model.keys() - plain.keys():
            root, factor = self.get_buffer(f"root_{name}"), self.get_buffer(f"factor_{name}")
            if self.training:
                gradient = slope(factor, _whitened(double(model[name].detach()), root))
                self._adam(name, factor, gradient, self.covariance_lr)
            value = (root * factor).square() if root.dim() == 1 else _product(root @ factor)
            tracked[name] = self.straight_through(value, model[name], self.scale)
        return {name: tracked[name] for name in model}


def slope(factor: Tensor, cov: Tensor) -> Tensor:
    """Return df/dM of the denoiser's error, of the shape of M.

    Args:
        factor: M, (D, D); (D,) of variances.
        cov: S of a batch, in units of the data's, of the same shape.
    """
    axes = "D" if isinstance(factor, Tensor) and factor.dim() == 1 else "D D"
    check_tensors("slope", factor=(factor, axes), cov=(cov, axes))
    if factor.dim() == 1:
        shrink = 1 / (factor.square() + 1)
        return 4 * shrink.square() * ((1 - shrink) * (cov + 1) - cov) * factor
    one = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
    shrink = torch.cholesky_inverse(torch.linalg.cholesky_ex(_product(factor) + one)[0])
    inner = shrink @ ((one - shrink) @ (cov + one) - cov) @ shrink
    gradient: Tensor = 2 * (inner + inner.T) @ factor
    return gradient


def _product(factor: Tensor) -> Tensor:
    """Return F F'."""
    product: Tensor = factor @ factor.T
    return product


def _root(cov: Tensor) -> Tensor:
    """Return R with R R' = C, lower; a little is added to what may be singular."""
    least = SMALLEST * (cov if cov.dim() == 1 else cov.diagonal()).mean()
    if cov.dim() == 1:
        return (cov + least).sqrt()
    matrix = cov.clone()
    matrix.diagonal().add_(least)
    root: Tensor = torch.linalg.cholesky_ex(matrix)[0]
    return root


def _whitened(cov: Tensor, root: Tensor) -> Tensor:
    """Return R^-1 C R^-T."""
    if root.dim() == 1:
        return cov / root.square()
    half = torch.linalg.solve_triangular(root, cov, upper=False)
    white: Tensor = torch.linalg.solve_triangular(root, half.T, upper=False)
    return white
