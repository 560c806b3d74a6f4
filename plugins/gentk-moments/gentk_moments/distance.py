"""The Frechet distance of two Gaussians as a loss, with its gradient in closed form.

    FD = |m_p - m_q|^2 + tr(S_p + S_q - 2 (S_p^1/2 S_q S_p^1/2)^1/2)

With R any root of the data's covariance, R R' = S_p, and R' S_q R = U diag(v) U',

    tr (S_p^1/2 S_q S_p^1/2)^1/2 = sum sqrt(v),    dFD / dS_q = 1 - R U diag(v^-1/2) U' R',

and, where the data's features move too (those of a critic that raises FD),

    dFD / dS_p = 1 - S_q R U diag(v^-3/2) U' R' S_q,

in float64; nothing is differentiated through an eigendecomposition. In a sample z_i of a batch of N it
amounts to 2/N (z_i - T(z_i)), T the map of transport of the model's Gaussian to the data's (biased
covariances). Directions that neither has (fewer samples than features) have no slope.

Source: FD-loss, arXiv:2604.28190. Its normaliser, FD / (sg FD + 0.01), makes a loss that hardly
changes, and is left to the optimiser (Adam does not see it) or to `factor=`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from gentk.errors import BadOption, NonFinite
from gentk.interfaces import Features, MatchingLoss, StatisticKind, Statistics
from gentk.precision import double
from gentk.seed import check_seed
from gentk.summary import Covariances, LayerMoments, MomentSums, Summary, check_tensors, pooled

from .frechet import LARGEST

__all__ = ["FrechetLoss", "frechet_to"]


class FrechetLoss(MatchingLoss):
    """Frechet distance of Gaussians fitted to features of data and model.

    Args:
        layers: `joint` takes all layers as one vector, with one covariance matrix; `each` adds up the
            distances of layers, whose matrices are smaller.
        pool: `mean` averages features over positions; `none` takes every position as a feature of its
            own.
        project: Project features onto so many fixed random directions first, each layer onto its own
            with layers=each; 0 for no projection. Eigenvalues take time with its cube.
        unbiased: Covariances with n - 1 rather than n.
        seed: Of the directions.
    """

    summary: ClassVar[type[Summary]] = MomentSums

    def __init__(
        self,
        *,
        layers: Literal["joint", "each"] = "joint",
        pool: Literal["mean", "none"] = "mean",
        project: int = 0,
        unbiased: bool = True,
        seed: int = 0,
    ) -> None:
        check_seed(seed, "loss 'fd': seed")
        if project < 0:
            raise BadOption(f"loss 'fd': project is 0 or more, not {project}; write project=256")
        self.kept = Covariances(
            "layers" if layers == "each" else "full",
            LARGEST,
            "loss 'fd'",
            "write project=256, or layers=each",
        )
        self.summary = self.kept.summary  # type: ignore[misc]
        self.preparation = self.kept.preparation
        self.layers = layers
        self.pool = pool
        self.project = project
        self.unbiased = unbiased
        self.seed = seed
        self.directions: dict[tuple[str, int], Tensor] = {}

    def prepare(self, features: Features) -> None:
        """Count the layers."""
        self.kept.prepare(features)

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `mean`, and the covariances, which stay positive."""
        return self.kept.kinds()

    def summarise(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> MomentSums | LayerMoments:
        """Return the moments of one chunk; raise `Incompatible` for too many features."""
        kept = pooled(features) if self.pool == "mean" else features
        rows = {name: value.flatten(1) for name, value in kept.items()}
        rows = {name: v if v.dtype == torch.float64 else v.float() for name, v in rows.items()}
        if self.layers == "joint":
            rows = {"all": torch.cat(list(rows.values()), dim=1)}
        rows = {name: self._projected(name, value) for name, value in rows.items()}
        return self.kept.of(rows, like)

    def statistics(self, summary: Summary) -> Statistics:
        """Return `mean` (D,) and covariances (D, D), float64."""
        return self.kept.statistics(summary, unbiased=self.unbiased)

    def reference(self, summary: Summary) -> Statistics:
        """Return the data's moments and a root of each covariance."""
        data = self.statistics(summary)
        roots: Statistics = {}
        for name in self.kept.names:
            values, vectors = torch.linalg.eigh(data[name].detach())
            roots[f"root of {name}"] = vectors * values.clamp(min=0).sqrt()
        return data | roots

    def forward(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return the terms `mean` and `covariance`, float64 scalars."""
        gap = data["mean"] - model["mean"]
        spreads = [
            frechet_to(data[name], data[f"root of {name}"], model[name]) for name in self.kept.names
        ]
        return {"mean": gap.dot(gap), "covariance": torch.stack(spreads).sum()}

    def fingerprint(self) -> str:
        """Return the options that decide what is summarised."""
        text = f"fd-1 layers={self.layers} pool={self.pool}"
        return f"{text} project={self.project} seed={self.seed}" if self.project else text

    def _projected(self, name: str, rows: Tensor) -> Tensor:
        """Return rows (N, D) on fixed orthonormal directions, (N, project)."""
        size = rows.shape[1]
        if not 0 < self.project < size:
            return rows
        held = self.directions.get((name, size))
        if held is None or held.device != rows.device or held.dtype != rows.dtype:
            held = _directions(size, self.project, self.seed).to(rows)
            self.directions[name, size] = held
        projected: Tensor = rows @ held
        return projected


def frechet_to(cov_p: Tensor, root: Tensor, cov_q: Tensor) -> Tensor:
    """Return tr(S_p + S_q - 2 (S_p^1/2 S_q S_p^1/2)^1/2), float64, differentiable once in S_p and S_q.

    Args:
        cov_p: S_p, (D, D).
        root: R with R R' = S_p, (D, D), of which nothing is differentiated: any root will do.
        cov_q: S_q, (D, D), symmetric.
    """
    check_tensors("frechet_to", cov_p=(cov_p, "D D"), root=(root, "D D"), cov_q=(cov_q, "D D"))
    value: Tensor = _Spread.apply(double(cov_q), double(cov_p), double(root))
    return value


def _directions(size: int, number: int, seed: int) -> Tensor:
    """Return orthonormal directions, (D, number) float64, the same on every machine but for rounding."""
    draw = torch.Generator().manual_seed(seed)
    normal = torch.randn(size, number, generator=draw, dtype=torch.float64)
    basis: Tensor = torch.linalg.qr(normal)[0]
    return basis


class _Spread(torch.autograd.Function):
    """The part of the distance that covariances have; its slope is made beside the value."""

    @staticmethod
    def forward(ctx: Any, cov_q: Tensor, cov_p: Tensor, root: Tensor) -> Tensor:
        of_q, of_p, _ = ctx.needs_input_grad
        wanted, product = of_q or of_p, root.T @ cov_q @ root
        try:
            # A value that is only shown takes no vectors: they are half of the time.
            values, vectors = (
                torch.linalg.eigh(product) if wanted else (torch.linalg.eigvalsh(product), None)
            )
        except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined, unused-ignore]
            raise NonFinite(
                "frechet_to: root or cov_q has values that are not finite (nan or infinity); lower "
                "the learning rate, or look at the features"
            ) from error
        least = values[-1] * (len(values) * torch.finfo(values.dtype).eps)
        roots = values.clamp(min=0).sqrt()
        if vectors is not None:
            # Directions that rounding invents have no slope; decided on the device.
            inverse = torch.where(values > least, values.clamp(min=1e-300).rsqrt(), 0.0)
            side = root @ vectors
            slopes: list[Tensor | None] = [None, None]
            for index, on in enumerate((of_q, of_p)):
                if on:
                    rows, power = (cov_q @ side, 3) if index else (side, 1)
                    slope = -(rows * inverse**power) @ rows.T
                    slope.diagonal().add_(1)
                    slopes[index] = slope
            ctx.save_for_backward(*slopes)
        trace = cov_p.diagonal().sum() + cov_q.diagonal().sum()
        total: Tensor = (trace - 2 * roots.sum()).clamp(min=0)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        of_q, of_p = (s if s is None else grads[0] * s for s in ctx.saved_tensors)
        return of_q, of_p, None
