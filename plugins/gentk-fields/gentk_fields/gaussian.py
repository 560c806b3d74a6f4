"""The field down the KL divergence of two Gaussians, or of two mixtures of them.

With p = N(m_p, S_p) the data's features and q = N(m_q, S_q) the model's,

    V(z) = (S_p + r)^-1 (m_p - z) - (S_q + r)^-1 (m_q - z) = grad log p(z) - grad log q(z),
    L    = 1 / (2 N) sum_i |z_i - sg(z_i + V(z_i))|^2

the steepest way down KL(q | p). V is 0 everywhere where the two are equal. The ridge r is a quantile of
the eigenvalues of S_p, so that it follows the units of the features: directions that carry less are
matched less. The model's moments are whatever the estimator tracks; with `ema,exclude=true` they are
of the batches before, and the batch has no part in the field that moves it.

With K components p = sum_k pi_k N(m_pk, S_pk) is fitted to data by EM. Each batch is shared among the
components, of which each gets its part pi_k of the samples (`gentk_fields.mixture`), and with a_ik the
share of component k in sample i

    m_qk, S_qk = moments of the samples weighted by a_ik,    V(z_i) = sum_k a_ik V_k(z_i),

where component k of the model meets component k of the data and has a ridge of its own.

Source: "MGFlow", 2026, arXiv:2609.35763. There the ridges are constants, which lie at quantiles from
0.56 to 0.73, the factor of 1/2 is missing in the released code, and samples are assigned by a linear
programme.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gentk.errors import BadOption, Incompatible
from gentk.field import Field, FieldLoss
from gentk.interfaces import Features, StatisticKind, Statistics
from gentk.precision import double
from gentk.summary import Covariances, LayerMoments, MomentSums, Samples, Summary, check_tensors

from .mixture import Mixture, component_moments, fit

__all__ = ["GaussianKL", "score_gap"]

FULL_LIMIT = 4096
"""The largest number of features of one covariance matrix."""

SMALLEST = 1e-6
"""The smallest ridge, as a share of the largest eigenvalue."""

LEAST, LEAST_OF_ALL = 32, 4
"""The smallest ridge, in units of the last digit of the largest variance, and of the whole matrix."""

STRIP = 96
"""Columns of a Cholesky factor that are made at a time on the CPU."""


class GaussianKL(FieldLoss):
    """Draws features down the KL divergence of their Gaussian, or mixture, from the data's.

    Args:
        covariance: `full` is of all features together, `layers` of each layer by itself, `diagonal`
            keeps variances only.
        components: Gaussians of a mixture, K; with covariance=layers each layer has its own mixture.
        fitting: Of how many images of the data a mixture is fitted, the same ones in every run.
        ridge: What is added to eigenvalues, as a quantile of the data's that are not 0, in [0, 1].
        eta: How far along the field a target lies.
        pool: `mean` averages features over positions; `none` takes every position as features of its
            own.
    """

    summary: ClassVar[type[Summary]] = Samples
    untracked = frozenset({"samples", "shares"})

    def __init__(
        self,
        *,
        covariance: Literal["full", "layers", "diagonal"] = "full",
        components: int = 1,
        fitting: int = 5000,
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
        if not 1 <= components <= fitting:
            raise BadOption(
                f"loss 'gaussian-kl': components is 1 or more, and at most fitting={fitting}, not "
                f"{components}; write components=1"
            )
        self.covariance = covariance
        self.components = components
        self.ridge = ridge
        self.eta = eta
        self.pool = pool
        self.layers = "each" if covariance == "layers" else "joint"
        self.kept = Covariances(
            covariance,
            FULL_LIMIT,
            f"loss 'gaussian-kl': covariance={covariance}",
            "type covariance=diagonal, or choose fewer layers",
        )
        # How many layers there are decides how many matrices are tracked.
        self.preparation = fitting if components > 1 else self.kept.preparation
        self.mixtures: list[Mixture] = []

    @property
    def data_summary(self) -> type[Summary]:
        """The class of the summaries it makes of the data: moments."""
        return self.kept.summary

    def prepare(self, features: Features) -> None:
        """Count the layers, and fit their mixtures."""
        self.kept.prepare(features)
        if self.components > 1:
            blocks = self._blocks(self.summarise(features))
            self.mixtures = [
                fit(rows, self.components, diagonal=self.covariance == "diagonal")
                for rows in blocks
            ]

    @property
    def names(self) -> list[tuple[str, str]]:
        """What mean and covariance of each Gaussian are called, layer by layer."""
        kept = self.kept.names
        if self.components == 1:
            return [("mean", name) for name in kept]
        heads = [name.removeprefix("covariance") for name in kept]
        tails = [f"{head}/{k}" for head in heads for k in range(self.components)]
        return [(f"mean{tail}", f"covariance{tail}") for tail in tails]

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `samples`, the batch's, and means and covariances, which stay positive.

        With a mixture there are `shares` too, (N, layers K): of each component in each sample.
        """
        kinds: dict[str, StatisticKind] = {"samples": "samples"}
        if self.components == 1:
            return kinds | self.kept.kinds()
        kinds["shares"] = "samples"
        for mean, covariance in self.names:
            kinds |= {mean: "real", covariance: "psd"}
        return kinds

    def summarise_data(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Summary:
        """Return the moments of one chunk of the data; `Incompatible` for too many features."""
        return self._moments(self.summarise(features), like)

    def statistics(self, summary: Summary) -> Statistics:
        """Return `samples` (N, D), and of them means (D,) and covariances (D,) or (D, D).

        Raises `Incompatible` where a component of a mixture gets fewer than two of them.

        Means and variances are float64. Matrices are of the features' type, in which they are tracked
        and factored: of layers of 1,000 features they are most of what a step reads and writes.
        """
        if not isinstance(summary, Samples):
            return self.kept.statistics(summary)
        rows = {"samples": summary.rows}
        if self.components == 1:
            return rows | self.kept.of_samples(summary)
        diagonal = self.covariance == "diagonal"
        shares, moments = [], []
        for mixture, z in zip(self.mixtures, self._blocks(summary.detach()), strict=True):
            self._check_count(len(z), mixture.smallest)
            shares.append(mixture.shares(z))
            means, covariances = component_moments(z, shares[-1], diagonal=diagonal)
            moments.append((means, covariances if diagonal else covariances.to(z)))
        return rows | {"shares": torch.cat(shares, dim=1)} | self._named(moments)

    def reference(self, summary: Summary) -> Statistics:
        """Return the data's moments, and of each covariance the ridge and the inverse with it.

        Both are made in float64; then matrices are of the features' type, as those of the model.
        """
        data = self.kept.statistics(summary)
        if self.components > 1:
            data = self._named([(own.means, own.covariances) for own in self.mixtures])
        constants: Statistics = {}
        assert isinstance(summary, MomentSums | LayerMoments)
        like = (summary.layers[0] if isinstance(summary, LayerMoments) else summary).pivot
        for _, name in self.names:
            ridge = _ridge(data[name], self.ridge)
            constants[f"ridge of {name}"] = ridge
            constants[f"precision of {name}"] = _precision(data[name], ridge, like)
            if data[name].dim() == 2:
                constants[name] = data[name].to(like)
        sizes = torch.tensor([size for _, size in summary.layout])
        return data | constants | {"sizes": sizes}

    def parts(
        self, data: Statistics, model: Statistics
    ) -> list[tuple[Tensor, Statistics, Statistics]]:
        """Return features, and the moments of both sides, of each layer that has a V of its own.

        Of a mixture with `shares` (N, K), moments are called after their component, `mean/0`.
        """
        z, names = model["samples"], self.names
        layers = len(names) // self.components
        sizes = data["sizes"].tolist() if layers > 1 else [z.shape[1]]
        if self.components == 1:
            means = [side["mean"].split(sizes) for side in (data, model)]
        else:
            means = [[side[mean] for mean, _ in names] for side in (data, model)]
            shares = model["shares"].split(self.components, dim=1)
        blocks = []
        for index, part in enumerate(z.split(sizes, dim=1)):
            theirs: Statistics = {}
            ours: Statistics = {} if self.components == 1 else {"shares": shares[index]}
            for k in range(self.components):
                own = index * self.components + k
                tail, name = f"/{k}" if self.components > 1 else "", names[own][1]
                theirs[f"mean{tail}"], ours[f"mean{tail}"] = means[0][own], means[1][own]
                theirs[f"ridge{tail}"] = data[f"ridge of {name}"]
                theirs[f"precision{tail}"] = data[f"precision of {name}"]
                ours[f"covariance{tail}"] = model[name]
            blocks.append((part, theirs, ours))
        return blocks

    def field(self, z: Tensor, data: Statistics, model: Statistics) -> Field:
        """Return V, in the type of z."""
        if "shares" not in model:
            return Field(_gap(z, data, model, ""), factor=0.5)
        columns = model["shares"].to(z).split(1, dim=1)
        gaps = [share * _gap(z, data, model, f"/{k}") for k, share in enumerate(columns)]
        return Field(torch.stack(gaps).sum(0), factor=0.5)

    def fingerprint(self) -> str:
        """Return the options that decide what is summarised of the data."""
        return f"gaussian-1 covariance={self.covariance} pool={self.pool}"

    def _check_count(self, count: int, smallest: float) -> None:
        """Refuse samples of which a component gets fewer than two: they have no covariance."""
        if count * smallest >= 2:
            return
        wanted = math.ceil(2 / smallest)
        raise Incompatible(
            f"loss 'gaussian-kl': the smallest of {self.components} components has {smallest:.1%} of "
            f"the data, so that {count} samples are fewer than two of it and have no covariance; type "
            f"--batch {wanted} (and seeding={wanted} if the estimator is seeded with fewer), or write "
            f"components={max(1, self.components // 2)}"
        )

    def _moments(self, samples: Samples, like: Summary | None) -> MomentSums | LayerMoments:
        """Return the moments of samples, layer by layer in the order of their columns."""
        parts = samples.rows.split(samples.sizes, dim=1)
        features = {name: part for (name, _), part in zip(samples.layout, parts, strict=True)}
        return self.kept.of(features, like)

    def _blocks(self, samples: Samples) -> list[Tensor]:
        """Return the features of each mixture."""
        if self.covariance != "layers":
            return [samples.rows]
        return list(samples.rows.split(samples.sizes, dim=1))

    def _named(self, moments: Sequence[tuple[Tensor, Tensor]]) -> Statistics:
        """Return the means and covariances of mixtures by name."""
        rows = [row for means, matrices in moments for row in zip(means, matrices, strict=True)]
        named: Statistics = {}
        for (mean, covariance), row in zip(self.names, rows, strict=True):
            named[mean], named[covariance] = row
        return named


def _gap(z: Tensor, data: Statistics, model: Statistics, tail: str) -> Tensor:
    """Return the difference of scores of one Gaussian of each side."""
    p = data[f"mean{tail}"], data[f"precision{tail}"]
    q = model[f"mean{tail}"], model[f"covariance{tail}"]
    return score_gap(z, p, q, data[f"ridge{tail}"])


@torch.no_grad()
def score_gap(
    z: Tensor, p: tuple[Tensor, Tensor], q: tuple[Tensor, Tensor], ridge: Tensor | float
) -> Tensor:
    """Return (S_p + r)^-1 (m_p - z) - (S_q + r)^-1 (m_q - z), (N, D) in the type of z, a constant.

    Matrices are factored in the type of z too. In float32 the relative error is about 1e-8 (l + r) / r,
    with l the largest eigenvalue of S_q, and r is no smaller than LEAST units of the last digit of the
    largest variance, or LEAST_OF_ALL of the norm of S_q, which is no less than l: below them rounding
    decides whether a matrix is positive.

    Args:
        z: (N, D).
        p: m_p (D,), and the inverse of S_p + r, (D, D); or its diagonal, (D,).
        q: m_q (D,), and S_q, (D, D) or (D,).
        ridge: r.
    """
    (mean_p, precision), (mean_q, cov) = p, q
    axes = "D" if isinstance(cov, Tensor) and cov.dim() == 1 else "D D"
    check_tensors(
        "score_gap",
        z=(z, "N D"),
        mean_p=(mean_p, "D"),
        precision=(precision, axes),
        mean_q=(mean_q, "D"),
        covariance=(cov, axes),
    )
    if cov.dim() == 1:
        # One pass over samples: V is a line in each feature.
        own = 1 / (cov + ridge)
        offset = mean_p * precision - mean_q * own
        return torch.addcmul(offset.to(z), z, (own - precision).to(z))
    # The matrix, and below it the rows that it is solved for.
    size = len(cov)
    stacked = z.new_empty(size + len(z), size)
    matrix, rows = stacked[:size], stacked[size:]
    diagonal = matrix.copy_(cov).diagonal()
    # Where all features move together, an eigenvalue is as large as all variances: the norm is no less.
    whole = torch.linalg.vector_norm(matrix)
    least = torch.finfo(z.dtype).eps * (LEAST * diagonal.max()).maximum(LEAST_OF_ALL * whole)
    diagonal.add_(torch.as_tensor(ridge, dtype=z.dtype, device=z.device).maximum(least))
    torch.sub(mean_q.to(z), z, out=rows)
    _factor(stacked)
    back = torch.linalg.solve_triangular(matrix, rows, upper=False, left=False)
    return ((mean_p.to(z) - z) @ precision.to(z)).sub_(back)


def _factor(stacked: Tensor) -> None:
    """Replace a positive matrix S, (D, D), by its factor L, and rows b below it by b L^-T, in place.

    What is above the diagonal of S is of no use afterwards. On the CPU most of it is done by products:
    LAPACK's factorisation of a whole matrix reaches half of their speed there.
    """
    size = stacked.shape[1]
    step = STRIP if stacked.device.type == "cpu" else size
    for start in range(0, size, step):
        stop = min(start + step, size)
        if start:
            done = stacked[:, :start]
            stacked[start:, start:stop].addmm_(done[start:], done[start:stop].T, alpha=-1)
        own, below = stacked[start:stop, start:stop], stacked[stop:, start:stop]
        factor = torch.linalg.cholesky_ex(own)[0]
        own.copy_(factor)
        # From the right, as rows lie: no copies.
        below.copy_(torch.linalg.solve_triangular(factor.T, below, upper=True, left=False))


def _precision(cov: Tensor, ridge: Tensor, like: Tensor) -> Tensor:
    """Return (S + r)^-1, (D, D) in the type of features, or (D,) of variances; `Incompatible` of 0."""
    if cov.dim() == 1:
        return 1 / (cov + ridge)
    matrix = double(cov).clone()
    matrix.diagonal().add_(ridge)
    try:
        return torch.cholesky_inverse(torch.linalg.cholesky_ex(matrix)[0]).to(like)
    except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined, unused-ignore]
        raise Incompatible(
            "loss 'gaussian-kl': there is a layer, or a component of the mixture, in which features of "
            "the data do not vary, so that they have no density; choose other layers, or write "
            "components=1"
        ) from error


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
