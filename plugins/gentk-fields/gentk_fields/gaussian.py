"""The field down the KL divergence of two Gaussians.

With p = N(m_p, S_p) the data's features and q = N(m_q, S_q) the model's,

    V(z) = (S_p + r)^-1 (m_p - z) - (S_q + r)^-1 (m_q - z) = grad log p(z) - grad log q(z),
    L    = 1 / (2 N) sum_i |z_i - sg(z_i + V(z_i))|^2

the steepest way down KL(q | p). V is 0 everywhere where the two are equal. The ridge r is a quantile of
the eigenvalues of S_p, so that it follows the units of the features: directions that carry less are
matched less. The model's moments are whatever the estimator tracks; with `ema,exclude=true` they are
of the batches before, and the batch has no part in the field that moves it.

Source: "MGFlow", 2026, arXiv:2609.35763, its case of one component. There the ridges are constants,
which lie at quantiles from 0.56 to 0.73, and the factor of 1/2 is missing in the released code.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from gentk.errors import BadOption, Incompatible
from gentk.field import Field, FieldLoss
from gentk.interfaces import Features, StatisticKind, Statistics
from gentk.precision import double
from gentk.summary import LayerMoments, MomentSums, Samples, Summary

__all__ = ["GaussianKL", "score_gap"]

FULL_LIMIT = 4096
"""The largest number of features of one covariance matrix."""

SMALLEST = 1e-6
"""The smallest ridge, as a share of the largest eigenvalue."""


class GaussianKL(FieldLoss):
    """Draws features down the KL divergence of their Gaussian from the data's.

    Args:
        covariance: `full` is of all features together, `layers` of each layer by itself, `diagonal`
            keeps
            variances only.
        ridge: What is added to eigenvalues, as a quantile of the data's that are not 0, in [0, 1].
        eta: How far along the field a target lies.
        pool: `mean` averages features over positions; `none` takes every position as features of its
            own.
    """

    summary: ClassVar[type[Summary]] = Samples
    untracked = frozenset({"samples"})

    def __init__(
        self,
        *,
        covariance: Literal["full", "layers", "diagonal"] = "full",
        ridge: float = 0.6,
        eta: float = 1.0,
        pool: Literal["mean", "none"] = "mean",
    ) -> None:
        if not 0 <= ridge <= 1:
            raise BadOption(
                f"loss 'gaussian-kl': ridge is a quantile, from 0 to 1, not {ridge}; write ridge=0.6"
            )
        if not 0 < eta < float("inf"):
            raise BadOption(f"loss 'gaussian-kl': eta is above 0, not {eta}; write eta=1")
        self.covariance = covariance
        self.ridge = ridge
        self.eta = eta
        self.pool = pool
        self.layers = "each" if covariance == "layers" else "joint"
        # How many layers there are decides how many matrices are tracked.
        self.preparation = 2 if covariance == "layers" else 0
        self.blocks = 1

    @property
    def data_summary(self) -> type[Summary]:
        """The class of the summaries it makes of the data: moments."""
        return LayerMoments if self.covariance == "layers" else MomentSums

    def prepare(self, features: Features) -> None:
        """Count the layers."""
        self.blocks = len(features)

    @property
    def names(self) -> list[str]:
        """What the covariances are called: `covariance`, or `covariance/INDEX` of each layer."""
        if self.covariance != "layers":
            return ["covariance"]
        return [f"covariance/{index}" for index in range(self.blocks)]

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `samples`, the batch's; `mean`; and the covariances, which stay positive."""
        kinds: dict[str, StatisticKind] = {"samples": "samples", "mean": "real"}
        return kinds | dict.fromkeys(self.names, "psd")

    def summarise_data(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Summary:
        """Return the moments of one chunk of the data; `Incompatible` for too many features."""
        return self._moments(self.summarise(features), like)

    def statistics(self, summary: Summary) -> Statistics:
        """Return `samples` (N, D), and of them `mean` (D,) and covariances (D,) or (D, D)."""
        if isinstance(summary, Samples):
            return {"samples": summary.rows, **self._of(self._moments(summary.detach(), None))}
        return self._of(summary)

    def reference(self, summary: Summary) -> Statistics:
        """Return the data's moments, and of each covariance the ridge and the inverse with it."""
        data = self._of(summary)
        constants: Statistics = {}
        for name in self.names:
            ridge = _ridge(data[name], self.ridge)
            constants[f"ridge of {name}"] = ridge
            constants[f"precision of {name}"] = _precision(data[name], ridge)
        assert isinstance(summary, MomentSums | LayerMoments)
        sizes = torch.tensor([size for _, size in summary.layout])
        return data | constants | {"sizes": sizes}

    def parts(
        self, data: Statistics, model: Statistics
    ) -> list[tuple[Tensor, Statistics, Statistics]]:
        """Return features, and the moments of both sides, of each covariance."""
        names = self.names
        sizes = data["sizes"].tolist() if len(names) > 1 else [len(data["mean"])]
        columns = zip(
            names,
            model["samples"].split(sizes, dim=1),
            data["mean"].split(sizes),
            model["mean"].split(sizes),
            strict=True,
        )
        return [
            (
                z,
                {
                    "mean": theirs,
                    "ridge": data[f"ridge of {name}"],
                    "precision": data[f"precision of {name}"],
                },
                {"mean": ours, "covariance": model[name]},
            )
            for name, z, theirs, ours in columns
        ]

    def field(self, z: Tensor, data: Statistics, model: Statistics) -> Field:
        """Return V, in the type of z."""
        velocity = score_gap(
            z,
            (data["mean"], data["precision"]),
            (model["mean"], model["covariance"]),
            data["ridge"],
        )
        return Field(velocity, factor=0.5)

    def fingerprint(self) -> str:
        """Return the options that decide what is summarised of the data."""
        return f"gaussian-1 covariance={self.covariance} pool={self.pool}"

    def _moments(self, samples: Samples, like: Summary | None) -> MomentSums | LayerMoments:
        """Return the moments of samples, layer by layer in the order of their columns."""
        parts = samples.rows.split(samples.sizes, dim=1)
        features = {name: part for (name, _), part in zip(samples.layout, parts, strict=True)}
        if self.covariance == "diagonal":
            return MomentSums.of(features, "diagonal", like)
        largest = max(samples.sizes) if self.covariance == "layers" else sum(samples.sizes)
        if largest > FULL_LIMIT:
            raise Incompatible(
                f"loss 'gaussian-kl': covariance={self.covariance} takes at most {FULL_LIMIT} features, "
                f"here are {largest}; type covariance=diagonal, or choose fewer layers"
            )
        if self.covariance == "layers":
            return LayerMoments.of(features, like)
        return MomentSums.of(features, "full", like)

    def _of(self, summary: Summary) -> Statistics:
        """Return the mean and the covariances of moments."""
        if isinstance(summary, LayerMoments):
            matrices = summary.covariances()
        else:
            assert isinstance(summary, MomentSums)
            matrices = [summary.covariance()]
        return {"mean": summary.mean(), **dict(zip(self.names, matrices, strict=True))}


def score_gap(
    z: Tensor, p: tuple[Tensor, Tensor], q: tuple[Tensor, Tensor], ridge: Tensor | float
) -> Tensor:
    """Return (S_p + r)^-1 (m_p - z) - (S_q + r)^-1 (m_q - z), (N, D) in the type of z.

    Args:
        z: (N, D).
        p: m_p (D,), and the inverse of S_p + r, (D, D); or its diagonal, (D,).
        q: m_q (D,), and S_q, (D, D) or (D,); the factor is float64.
        ridge: r.
    """
    (mean_p, precision), (mean_q, cov) = p, q
    wide = double(z)
    towards, away = mean_p - wide, mean_q - wide
    if cov.dim() == 1:
        return (towards * precision - away / (cov + ridge)).to(z)
    factor = torch.linalg.cholesky_ex(_with_ridge(cov, ridge))[0]
    back = torch.cholesky_solve(away.T, factor).T
    return (towards.to(z) @ precision.to(z)).sub_(back.to(z))


def _with_ridge(cov: Tensor, ridge: Tensor | float) -> Tensor:
    """Return S + r 1."""
    matrix = double(cov).clone()
    matrix.diagonal().add_(ridge)
    return matrix


def _precision(cov: Tensor, ridge: Tensor) -> Tensor:
    """Return (S + r)^-1, (D, D), or (D,) of variances."""
    if cov.dim() == 1:
        return 1 / (cov + ridge)
    inverse: Tensor = torch.cholesky_inverse(torch.linalg.cholesky_ex(_with_ridge(cov, ridge))[0])
    return inverse


def _ridge(cov: Tensor, quantile: float) -> Tensor:
    """Return a quantile of the eigenvalues, between the two that are next to it.

    Those that are 0 do not count: of fewer images than features most are. Decided on the device.
    """
    values = cov.sort().values if cov.dim() == 1 else torch.linalg.eigvalsh(cov)
    nothing = (values <= SMALLEST**2 * values[-1]).sum().clamp(max=len(values) - 1)
    place = nothing + quantile * (len(values) - 1 - nothing).to(values)
    low = place.floor().long()
    # An index that is a tensor of one number would be read.
    below, above = values.take(low), values.take((low + 1).clamp(max=len(values) - 1))
    return torch.lerp(below, above, (place - low).to(below)).maximum(SMALLEST * values[-1])
