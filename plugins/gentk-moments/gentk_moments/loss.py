"""The moment-matching loss of GFMN.

With mu_j and sigma_j the mean and variance of feature j over a distribution

    D(data, model) = sum_j (mu_j^data - mu_j^model)^2 + sum_j (sigma_j^data - sigma_j^model)^2

over every position of every layer of every extractor, unweighted: no pooling, no normalisation. With
`per-class=true` both are of the samples of one class, and D is the mean over classes.

Source: C. Nogueira dos Santos, Y. Mroueh, I. Padhi, P. Dognin, "Learning Implicit Generative Models by
Matching Perceptual Features", ICCV 2019, arXiv:1904.02762, eq. 2.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import Features, MatchingLoss, StatisticKind, Statistics
from gentk.precision import double
from gentk.summary import ClassMoments, MomentSums, Summary, flat_rows, pooled

__all__ = ["FULL_LIMIT", "MomentsLoss"]

FULL_LIMIT = 2048
"""The largest number of features whose full covariance is matched: D^2 numbers are tracked."""


class MomentsLoss(MatchingLoss):
    """Squared distance of means and variances (or covariances), as the module's formula says.

    Args:
        covariance: `diagonal` matches variances; `full` matches the covariance matrix in the squared
            Frobenius norm (D <= 2,048); `none` matches means only, as GFMN's first version did.
        unbiased: Variances with n - 1 (the released code) rather than n (the paper).
        normalise: `none`; `feature` divides by each feature's data variance (means are then compared
            in units of the data's standard deviation); `layer` by the layer's mean data variance.
        pool: `none` takes every position as a feature of its own; `mean` averages over positions.
        epsilon: Added to variances before division, relative to their mean.
        per_class: Match the moments of each class by themselves, D being the mean over classes: for
            conditional generators and data with labels.
    """

    summary: ClassVar[type[Summary]] = MomentSums

    def __init__(
        self,
        *,
        covariance: Literal["diagonal", "none", "full"] = "diagonal",
        unbiased: bool = True,
        normalise: Literal["none", "feature", "layer"] = "none",
        pool: Literal["none", "mean"] = "none",
        epsilon: float = 1e-3,
        per_class: bool = False,
    ) -> None:
        if covariance == "none" and normalise != "none":
            raise Incompatible(
                f"loss 'moments': normalise={normalise} divides by variances, which "
                "covariance=none does not keep; type covariance=diagonal"
            )
        if not 0 <= epsilon < float("inf"):
            raise BadOption(
                f"loss 'moments': epsilon is 0 or more, not {epsilon}; write epsilon=1e-3"
            )
        if per_class and covariance == "full":
            raise Incompatible(
                "loss 'moments': covariance=full has no per-class=true, for want of memory; type "
                "covariance=diagonal"
            )
        if per_class:
            self.needs = frozenset({"labels"})
            self.summary = ClassMoments  # type: ignore[misc]
        self.per_class = per_class
        self.covariance = covariance
        self.unbiased = unbiased
        self.normalise = normalise
        self.pool = pool
        self.epsilon = epsilon

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `mean` and `covariance`, both `real`: a squared distance does not mind a tracked
        variance below zero.
        """
        kinds: dict[str, StatisticKind] = {"mean": "real"}
        return kinds if self.covariance == "none" else kinds | {"covariance": "real"}

    def summarise(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> MomentSums | ClassMoments:
        """Return the moment sums of one chunk; raise `Incompatible` if D is too large for `full`."""
        if self.pool == "mean":
            features = pooled(features)
        size = sum(value[0].numel() for value in features.values())
        if self.covariance == "full" and size > FULL_LIMIT:
            raise Incompatible(
                f"loss 'moments': covariance=full takes at most {FULL_LIMIT} features, here are "
                f"{size}; type pool=mean, choose fewer layers, or covariance=diagonal"
            )
        if self.per_class:
            assert labels is not None
            return ClassMoments.of(features, labels, self.covariance != "none", like)
        return MomentSums.of(features, self.covariance, like)

    def statistics(self, summary: Summary) -> Statistics:
        """Return `mean` (D,) and `covariance`, (D,) or (D, D), float64; (classes, D) per class."""
        assert isinstance(summary, MomentSums | ClassMoments)
        if self.covariance == "none":
            return {"mean": summary.mean()}
        return {"mean": summary.mean(), "covariance": summary.covariance(self.unbiased)}

    def reference(self, summary: Summary) -> Statistics:
        """Return the data's statistics and, if normalising, the `weight` of each feature, (D,)."""
        data = self.statistics(summary)
        if self.normalise == "none":
            return data
        assert isinstance(summary, MomentSums | ClassMoments)
        variance = data["covariance"]
        if self.covariance == "full":
            variance = variance.diagonal()
        elif self.per_class:
            # All classes are measured in the same units: the deviations within a class.
            variance = variance.mean(0)
        if self.normalise == "layer":
            sizes = [size for _, size in summary.layout]
            parts = [part.mean().expand(part.numel()) for part in variance.split(sizes)]
            variance = torch.cat(parts)
        if not self.epsilon and (variance == 0).any():
            raise Incompatible(
                f"loss 'moments': {int((variance == 0).sum())} features of the data do not vary, and "
                "epsilon=0 divides by their variance; write epsilon=1e-3"
            )
        return data | {"weight": 1 / (variance + self.epsilon * variance.mean())}

    def forward(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return the terms `mean` and `covariance`, float64 scalars.

        With weights w_j the terms are sum_j w_j d_j^2 for means and sum_jk w_j w_k d_jk^2 for
        (co)variances, so that both are free of units.
        """
        gaps = {name: data[name] - model[name] for name in model}
        weight = data.get("weight")
        if weight is not None:
            root = weight.sqrt()
            gaps["mean"] = root * gaps["mean"]
            full = self.covariance == "full"
            gaps["covariance"] = (torch.outer(root, root) if full else weight) * gaps["covariance"]
        terms = {name: gap.flatten().dot(gap.flatten()) for name, gap in gaps.items()}
        if not self.per_class:
            return terms
        return {name: term / len(gaps[name]) for name, term in terms.items()}

    def witness(self, features: Features, data: Statistics, model: Statistics) -> Tensor:
        """Return half of how D changes with a sample at each x, (N,).

        f(x) = sum_j w_j (mu_j^data - mu_j^model) x_j and, for variances, + sum_j w_j^2
        (sigma_j^data - sigma_j^model) (x_j - m_j)^2, m halfway between the means; of covariances the
        quadratic form. Of means alone it is the witness of the MMD with the kernel <x, y>.
        """
        if self.per_class:
            raise Incompatible(
                "loss 'moments': per-class=true has no witness; leave it, or of=witness, out"
            )
        parts = pooled(features) if self.pool == "mean" else features
        rows = double(torch.cat([flat_rows(part) for part in parts.values()], dim=1))
        weight = data.get("weight", torch.ones_like(data["mean"]))
        value = rows @ (weight * (data["mean"] - model["mean"]))
        if self.covariance == "none":
            return value
        gap = data["covariance"] - model["covariance"]
        away = weight * (rows - (data["mean"] + model["mean"]) / 2)
        if self.covariance == "full":
            return value + ((away @ gap) * away).sum(1)
        return value + away.square() @ gap

    def fingerprint(self) -> str:
        """Return the options that decide what is summarised."""
        own = f"moments-1 covariance={self.covariance} pool={self.pool}"
        return f"{own} per-class" if self.per_class else own
