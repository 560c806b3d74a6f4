"""Losses of one's own: a function of the features of the data and of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ...errors import Incompatible
from ...interfaces import Features, MatchingLoss, StatisticKind, Statistics, Summary
from ...interfaces.promise import described
from ...summary import Samples
from .identity import qualname

__all__ = ["OwnLoss"]

Function = Callable[[Features, Features], Tensor | Mapping[str, Tensor]]


class OwnLoss(MatchingLoss):
    """f(features of real images, features of samples), differentiable in the second.

    Args:
        function: Two dicts, layer -> (N, ...), -> a scalar, or scalars by name whose sum is minimised.
            It sees a whole batch, however this is cut into chunks. Layers are called as their extractor
            calls them, `EXTRACTOR/LAYER` where two extractors have one of that name.
    """

    summary: ClassVar[type[Summary]] = Samples

    def __init__(self, function: Function) -> None:
        self.function = function
        self._shapes: dict[str, torch.Size] = {}

    @property
    def _title(self) -> str:
        return f"loss {qualname(self.function)}"

    def kinds(self) -> dict[str, StatisticKind]:
        """Return that it compares samples."""
        return {"features": "samples"}

    def summarise(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Summary:
        """Keep all features."""
        own = [name.rpartition("/")[2] for name in features]
        names = own if len(set(own)) == len(own) else list(features)
        shapes = [value.shape[1:] for value in features.values()]
        self._shapes = dict(zip(names, shapes, strict=True))
        return Samples.of(features)

    def statistics(self, summary: Summary) -> Statistics:
        """Return the features of all samples, (N, D)."""
        assert isinstance(summary, Samples)
        return {"features": summary.rows}

    def forward(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return the function's value; raise `Incompatible` where it is no scalar."""
        if "weights" in model:
            raise Incompatible(
                "a function of features does not know the weights that estimator 'queue' gives to "
                "samples; write estimator='batch', or give a loss component"
            )
        result = self.function(self._features(data), self._features(model))
        terms = result if isinstance(result, Mapping) else {"own": result}
        for name, value in terms.items():
            if not isinstance(value, Tensor) or value.dim() != 0:
                raise Incompatible(
                    f"{self._title} returns {described(value)} as {name!r}; return a scalar tensor, "
                    "as .mean() makes"
                )
        return dict(terms)

    def fingerprint(self) -> str:
        """Return that nothing is left out of the features."""
        return "object-1"

    def _features(self, statistics: Statistics) -> Features:
        """Return the features by layer, in their own shapes."""
        rows = statistics["features"]
        sizes = [shape.numel() for shape in self._shapes.values()]
        parts = rows.split(sizes, dim=1)
        return {
            name: part.unflatten(1, shape) if len(shape) != 1 else part
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }
