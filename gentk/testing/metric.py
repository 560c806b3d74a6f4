"""The suite of metrics."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import torch

from ..evaluation.evaluate import evaluate
from ..evaluation.plan import Context, Plan
from ..interfaces import Features, Metric, MetricValue
from ..summary import Samples, Summary
from .partner import LOGITS, NAME
from .suite import skip
from .summarising import SummarisingSuite
from .trial import secluded

__all__ = ["MetricSuite"]

COUNT = 40
"""Samples a side."""


class MetricSuite(SummarisingSuite):
    """Finite figures of summaries that add up, best where the two sides are alike."""

    kind = "metric"
    interface: ClassVar[type[Any]] = Metric

    def features(self, count: int, seed: int = 0, shift: float = 0.0) -> Features:
        """Return features of `count` samples; logits alone for a metric of logits."""
        features = super().features(count, seed, shift)
        if "logits" in self.make().needs:
            return {name: value for name, value in features.items() if value.dim() == 2}
        return features

    def summary(self, metric: Metric, seed: int = 0, shift: float = 0.0) -> Summary:
        """Return the summary of samples, with labels for a metric of labels."""
        like = metric.summarise(self.features(COUNT))
        summary = metric.summarise(self.features(COUNT, seed, shift), like)
        if "labels" in metric.needs:
            assert isinstance(summary, Samples), "with `labels` in needs, summaries are Samples"
            return replace(summary, labels=torch.arange(COUNT) % 2)
        return summary

    def values(self, metric: Metric, seed: int = 0, shift: float = 0.0) -> list[MetricValue]:
        """Return the figures of samples against a fixed reference."""
        also = {
            split: self.summary(metric, seed=7 + i) for i, split in enumerate(sorted(metric.also))
        }
        return metric.values(self.summary(metric), self.summary(metric, seed, shift), **also)

    def test_figures_are_finite(self) -> None:
        """It returns figures with names and finite values, and says which way is better."""
        values = self.values(self.make(), seed=1)
        assert values, "it returns no figure"
        for figure in values:
            assert isinstance(figure, MetricValue), f"it returns a {type(figure).__name__}"
            assert isinstance(figure.value, float), (
                f"{figure.name} is a {type(figure.value).__name__}"
            )
            assert math.isfinite(figure.value), f"{figure.name} is {figure.value}"
            assert figure.direction in ("lower", "higher", "none"), (
                f"better is {figure.direction!r}"
            )
            assert figure.error is None or figure.error >= 0, f"an error of {figure.error}"
        names = [figure.name for figure in values]
        assert len(set(names)) == len(names), f"two figures are called alike: {', '.join(names)}"

    def test_like_is_better_than_unlike(self) -> None:
        """The first figure is best for samples of the reference's own distribution."""
        metric = self.make()
        if not metric.distance:
            skip("it says by `distance` that its figure is no distance from the reference")
        for shift in (1.0, -3.0):
            like, unlike = (self.values(metric, 1, each)[0] for each in (0.0, shift))
            sign = 1 if like.direction == "lower" else -1
            assert sign * like.value < sign * unlike.value, (
                f"{like.name} is {like.value:.4g} for like and {unlike.value:.4g} for unlike samples"
            )

    def test_figures_are_repeatable(self) -> None:
        """The same summaries give the same figures, whatever the random state."""
        metric = self.make()
        torch.manual_seed(0)
        first = self.values(metric, 1)
        torch.manual_seed(1)
        assert [f.value for f in self.values(metric, 1)] == [f.value for f in first], (
            "they change from call to call"
        )

    def test_summaries_are_left_alone(self) -> None:
        """Figures are taken without changing the summaries: other figures are taken of them too."""
        metric = self.make()
        sides = [self.summary(metric, seed) for seed in range(2 + len(metric.also))]
        kept = [{k: v.clone() for k, v in _tensors(side).items()} for side in sides]
        metric.values(sides[0], sides[1], **dict(zip(sorted(metric.also), sides[2:], strict=True)))
        for side, before in zip(sides, kept, strict=True):
            for name, value in _tensors(side).items():
                assert torch.equal(value, before[name]), f"{name} of a summary is changed"

    def test_an_evaluation_uses_it(self) -> None:
        """`gentk evaluate` in pixels, of real images against real images, prints its figures."""
        data = f"{NAME},size=4,validation=8"
        with secluded():
            plan = Plan(
                data=f"{NAME},size=4,split=test,validation=8",
                metrics=(self.spec,),
                extractors=(LOGITS if "logits" in self.make().needs else "pixels",),
                count=48,
            )
            context = Context(self.names, device="cpu", threads=1)
            measurements = evaluate(data, plan, context).measurements
        assert measurements, "the evaluation has no values"
        assert all(math.isfinite(one.value) for one in measurements), "a value is not finite"


def _tensors(summary: Summary) -> dict[str, Any]:
    return summary.store()[0]
