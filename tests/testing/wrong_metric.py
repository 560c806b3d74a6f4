"""Metrics that are wrong in one way each."""

from __future__ import annotations

import torch

from gentk.interfaces import Metric, MetricValue
from gentk.summary import MomentSums


class Right(Metric):
    """Squared distance of means: nothing is wrong with it."""

    summary = MomentSums

    def summarise(self, features, like=None):
        return MomentSums.of(features, "none", like)

    def values(self, reference, sample, **also):
        return [MetricValue("gap", float((reference.mean() - sample.mean()).square().sum()))]

    def fingerprint(self):
        return "right"


class Exact(Right):
    """One of its figures is more exact than exact."""

    def values(self, reference, sample, **also):
        return [*super().values(reference, sample), MetricValue("count", sample.count, error=-1)]


class Reversed(Right):
    """It says that more is better."""

    def values(self, reference, sample, **also):
        value = super().values(reference, sample)[0].value
        return [MetricValue("gap", value, direction="higher")]


class Noisy(Right):
    """Its figures have chance in them."""

    def values(self, reference, sample, **also):
        value = super().values(reference, sample)[0].value
        return [MetricValue("gap", value + 1e-6 * float(torch.rand(())))]


class Grabbing(Right):
    """It changes the summaries it is given."""

    def values(self, reference, sample, **also):
        found = super().values(reference, sample)
        reference.sums.mul_(0.5).add_(1)
        return found


class Demanding(Right):
    """It asks for a split that there is not."""

    also = frozenset({"holdout"})


WRONG = {
    "test_figures_are_finite": Exact,
    "test_like_is_better_than_unlike": Reversed,
    "test_figures_are_repeatable": Noisy,
    "test_summaries_are_left_alone": Grabbing,
    "test_an_evaluation_uses_it": Demanding,
}
