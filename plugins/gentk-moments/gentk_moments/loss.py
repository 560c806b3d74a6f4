"""The moment-matching loss of GFMN.

With mu_j and sigma_j the mean and variance of feature j over a distribution

    D(data, model) = sum_j (mu_j^data - mu_j^model)^2 + sum_j (sigma_j^data - sigma_j^model)^2

over every position of every layer of every extractor, unweighted: no pooling, no normalisation.

Source: C. Nogueira dos Santos, Y. Mroueh, I. Padhi, P. Dognin, "Learning Implicit Generative Models by
Matching Perceptual Features", ICCV 2019, arXiv:1904.02762, eq. 2.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import Features, MatchingLoss, StatisticKind, Statistics
from gentk.summary import MomentSums, Summary, pooled

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
    """

    summary = MomentSums

    def __init__(
        self,
        *,
        covariance: Literal["diagonal", "none", "full"] = "diagonal",
        unbiased: bool = True,
        normalise: Literal["none", "feature", "layer"] = "none",
        pool: Literal["none", "mean"] = "none",
        epsilon: float = 1e-3,
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
    ) -> MomentSums:
        """Return the moment sums of one chunk; raise `Incompatible` if D is too large for `full`."""
        if self.pool == "mean":
            features = pooled(features)
        size = sum(value[0].numel() for value in features.values())
        if self.covariance == "full" and size > FULL_LIMIT:
            raise Incompatible(
                f"loss 'moments': covariance=full takes at most {FULL_LIMIT} features, here are "
                f"{size}; type pool=mean, choose fewer layers, or covariance=diagonal"
            )
        return MomentSums.of(features, self.covariance, like)

    def statistics(self, summary: Summary) -> Statistics:
        """Return `mean` (D,) and `covariance`, (D,) or (D, D), float64."""
        assert isinstance(summary, MomentSums)
        if self.covariance == "none":
            return {"mean": summary.mean()}
        return {"mean": summary.mean(), "covariance": summary.covariance(self.unbiased)}

    def reference(self, summary: Summary) -> Statistics:
        """Return the data's statistics and, if normalising, the `weight` of each feature, (D,)."""
        data = self.statistics(summary)
        if self.normalise == "none":
            return data
        assert isinstance(summary, MomentSums)
        covariance = data["covariance"]
        variance = covariance if covariance.dim() == 1 else covariance.diagonal()
        if self.normalise == "layer":
            sizes = [size for _, size in summary.layout]
            parts = [part.mean().expand(part.numel()) for part in variance.split(sizes)]
            variance = torch.cat(parts)
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
            full = gaps["covariance"].dim() == 2
            gaps["covariance"] = (torch.outer(root, root) if full else weight) * gaps["covariance"]
        return {name: gap.flatten().dot(gap.flatten()) for name, gap in gaps.items()}

    def fingerprint(self) -> str:
        """Return the options that decide what is summarised."""
        return f"moments-1 covariance={self.covariance} pool={self.pool}"
