"""Checks of matching losses."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor

from ..interfaces import Features, MatchingLoss, StatisticKind, Statistics, total
from ..summary import Summary
from .suite import skip
from .summarising import SummarisingSuite

__all__ = ["MatchingChecks", "sides"]


def sides(loss: MatchingLoss, data: Features) -> tuple[Statistics, Summary | None]:
    """Return the reference of the data, and what summaries of the model are like, as a step does it."""
    summary = loss.summarise_data(data)
    return loss.reference(summary), summary if isinstance(summary, loss.summary) else None


class MatchingChecks(SummarisingSuite):
    """Statistics that add up, a discrepancy that is smallest where they agree."""

    def matching(self) -> MatchingLoss:
        """Return the loss, prepared; skip the check if it is another kind of loss."""
        loss = self.summariser()
        if not isinstance(loss, MatchingLoss):
            skip("it is no MatchingLoss")
        return loss

    def told(self, judge: Any, summary: Summary) -> dict[str, Any]:
        """Return the statistics."""
        if isinstance(judge, MatchingLoss):
            return judge.statistics(summary)
        return super().told(judge, summary)

    def test_statistics_are_those_it_names(self) -> None:
        """`kinds` names the statistics and kinds; they are float64, samples and matrices any float."""
        loss = self.matching()
        kinds = loss.kinds()
        statistics = loss.statistics(loss.summarise(self.features(6)))
        assert statistics.keys() == kinds.keys(), (
            f"kinds() names {', '.join(kinds)}; statistics() returns {', '.join(statistics)}"
        )
        for name, kind in kinds.items():
            assert kind in get_args(StatisticKind), f"{name} is of the unknown kind {kind!r}"
            value = statistics[name]
            free = kind == "samples" or (kind == "psd" and value.dim() == 2)
            assert value.is_floating_point() if free else value.dtype == torch.float64, (
                f"{name} is {value.dtype}, and statistics are float64"
            )

    def test_nothing_is_nearer_than_the_data(self) -> None:
        """The discrepancy of the data from themselves is the smallest there is."""
        loss = self.matching()
        if loss.watch:
            skip("it says that its value is the same whatever it compares")
        reference, like = sides(loss, self.features(20))
        near = self._value(
            loss, reference, loss.statistics(loss.summarise(self.features(20), like))
        )
        for shift in (0.5, -2.0):
            other = loss.summarise(self.features(20, seed=1, shift=shift), like)
            far = self._value(loss, reference, loss.statistics(other))
            assert near < far, f"it is {near:.4g} for the data and {far:.4g} for others"

    def test_gradient_reaches_the_features(self) -> None:
        """The discrepancy has a finite gradient in the features, and not zero everywhere."""
        loss = self.matching()
        reference, like = sides(loss, self.features(8, seed=5))
        model = {k: v.requires_grad_() for k, v in self.features(6, shift=0.3).items()}
        value = total(loss(reference, loss.statistics(loss.summarise(model, like))))
        inputs = list(model.values())
        slopes = [
            s if s is not None else torch.zeros_like(x)
            for x, s in zip(
                inputs, torch.autograd.grad(value, inputs, allow_unused=True), strict=True
            )
        ]
        assert all(s.isfinite().all() for s in slopes), "the gradient is not finite"
        assert all(s.any() for s in slopes), "the gradient is zero in a layer"

    def _value(
        self, loss: MatchingLoss, data: dict[str, Tensor], model: dict[str, Tensor]
    ) -> float:
        return float(total(loss(data, model)).detach())
