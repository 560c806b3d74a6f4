"""The feasible set of MMD GAN: a hinge on the gap of mean features, which the critic keeps above 0."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from gentk.interfaces import Features, MatchingLoss, StatisticKind, Statistics
from gentk.summary import MomentSums, Summary

__all__ = ["FeasibleSetLoss"]


class FeasibleSetLoss(MatchingLoss):
    """D = -mean_k max(0, mean_model f_k - mean_data f_k), of the features of a critic.

    Beside an MMD on the same features. The critic raises it: 0, the most there is, where no feature's
    mean is larger for the model than for the data. The generator lowers it. It is no discrepancy: it is
    0 for equal laws and at most 0 for others. MMD GAN's factor is 16.

    Source: C.-L. Li, W.-C. Chang, Y. Cheng, Y. Yang, B. Poczos, "MMD GAN: Towards Deeper Understanding
    of Moment Matching Network", NIPS 2017, arXiv:1705.08584, and its released code (`one_sided`).
    """

    summary: ClassVar[type[Summary]] = MomentSums

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `mean`, which is `real`."""
        return {"mean": "real"}

    def summarise(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Summary:
        """Return the sums of one chunk."""
        return MomentSums.of(features, "none", like)

    def statistics(self, summary: Summary) -> Statistics:
        """Return `mean`, (D,) float64."""
        assert isinstance(summary, MomentSums)
        return {"mean": summary.mean()}

    def forward(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return the term `feasible-set`, at most 0."""
        return {"feasible-set": -functional.relu(model["mean"] - data["mean"]).mean()}

    def fingerprint(self) -> str:
        """Return that it keeps means alone."""
        return "means-1"
