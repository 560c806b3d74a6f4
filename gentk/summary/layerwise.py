"""Moments of each layer by itself: the blocks of a covariance matrix that are within one layer.

For layers of D_1, D_2, ... features there are D_1^2 + D_2^2 + ... numbers rather than (D_1 + D_2 +
...)^2.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ..interfaces import Features, Summary
from .checking import check_layouts
from .moments import MomentSums

__all__ = ["LayerMoments"]


@dataclass(frozen=True)
class LayerMoments(Summary):
    """Means and full second moments within each of several layers, of the same samples.

    Attributes:
        layers: The moments of each layer, in order.
    """

    grows: ClassVar[bool] = False

    layers: tuple[MomentSums, ...]

    @classmethod
    def of(cls, features: Features, like: Summary | None = None) -> LayerMoments:
        """Summarise one chunk, differentiably.

        Args:
            features: Layer -> (N, ...).
            like: A summary whose pivots to take; without one, the chunk's own means.
        """
        earlier = like.layers if isinstance(like, LayerMoments) else (None,) * len(features)
        pairs = zip(features.items(), earlier, strict=True)
        return cls(tuple(MomentSums.of({name: v}, "full", own) for (name, v), own in pairs))

    @property
    def count(self) -> int:  # type: ignore[override]
        """How many samples it has seen."""
        return self.layers[0].count

    @property
    def layout(self) -> tuple[tuple[str, int], ...]:
        """(layer, number of its features), in order."""
        return functools.reduce(operator.add, (layer.layout for layer in self.layers))

    def __add__(self, other: Summary) -> LayerMoments:
        if not isinstance(other, LayerMoments):
            return NotImplemented
        check_layouts(self.layout, other.layout)
        pairs = zip(self.layers, other.layers, strict=True)
        return LayerMoments(tuple(mine + theirs for mine, theirs in pairs))

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the tensors of every layer, called `INDEX/NAME`."""
        return {
            f"{index}/{name}": value
            for index, layer in enumerate(self.layers)
            for name, value in layer.to_tensors().items()
        }

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """Return the same summary made of other sums."""
        return type(self)(
            tuple(
                layer.with_tensors(
                    {name: tensors[f"{index}/{name}"] for name in layer.to_tensors()}
                )
                for index, layer in enumerate(self.layers)
            )
        )

    def settled(self) -> LayerMoments:
        """Return the summary detached, each layer about its own mean."""
        return LayerMoments(tuple(layer.settled() for layer in self.layers))

    def store(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what each layer stores."""
        tensors: dict[str, Tensor] = {}
        fields = []
        for index, layer in enumerate(self.layers):
            own, about = layer.store()
            tensors |= {f"{index}/{name}": value for name, value in own.items()}
            fields.append(about)
        return tensors, {"layers": fields}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> Self:
        """Make a summary from what `store` returned."""
        layers = []
        for index, about in enumerate(fields["layers"]):
            head = f"{index}/"
            own = {k.removeprefix(head): v for k, v in tensors.items() if k.startswith(head)}
            layers.append(MomentSums.restore(own, about))
        return cls(tuple(layers))

    def to(self, device: torch.device) -> Self:
        """Return the summary on another device."""
        return type(self)(tuple(layer.to(device) for layer in self.layers))

    def mean(self) -> Tensor:
        """Return the mean of each feature, all layers one after another, (D,) float64."""
        return torch.cat([layer.mean() for layer in self.layers])

    def covariances(self, unbiased: bool = True) -> list[Tensor]:
        """Return the covariance matrix of each layer, (D_l, D_l) float64.

        Args:
            unbiased: Divide by n - 1 rather than by n.
        """
        return [layer.covariance(unbiased) for layer in self.layers]
