"""Metrics that are wrong in one way each."""

from __future__ import annotations

import torch

from gentk.interfaces import Figure, Metric
from gentk.summary import MomentSums


class Right(Metric):
    """Squared distance of means: nothing is wrong with it."""

    summary = MomentSums

    def summarise(self, features, like=None):
        return MomentSums.of(features, "none", like)

    def figures(self, reference, sample, **also):
        return [Figure("gap", float((reference.mean() - sample.mean()).square().sum()))]

    def fingerprint(self):
        return "right"


class Whole(Right):
    """One of its figures is no float."""

    def figures(self, reference, sample, **also):
        return [*super().figures(reference, sample), Figure("count", sample.count)]


class Reversed(Right):
    """It says that more is better."""

    def figures(self, reference, sample, **also):
        value = super().figures(reference, sample)[0].value
        return [Figure("gap", value, better="higher")]


class Noisy(Right):
    """Its figures have chance in them."""

    def figures(self, reference, sample, **also):
        value = super().figures(reference, sample)[0].value
        return [Figure("gap", value + 1e-6 * float(torch.rand(())))]


class Grabbing(Right):
    """It changes the summaries it is given."""

    def figures(self, reference, sample, **also):
        found = super().figures(reference, sample)
        reference.sums.mul_(0.5).add_(1)
        return found


class Demanding(Right):
    """It asks for a split that there is not."""

    also = frozenset({"holdout"})


WRONG = {
    "test_figures_are_finite": Whole,
    "test_like_is_better_than_unlike": Reversed,
    "test_figures_are_repeatable": Noisy,
    "test_summaries_are_left_alone": Grabbing,
    "test_an_evaluation_uses_it": Demanding,
}
