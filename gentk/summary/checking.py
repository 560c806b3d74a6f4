"""Checking: features that a user hands over, before anything is computed of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor

from ..errors import Incompatible
from ..interfaces import Features, Summary

__all__ = ["alike", "both", "check_layouts", "checked"]

S = TypeVar("S", bound=Summary)
Layout = tuple[tuple[str, int], ...]
"""(layer, number of its features), in order."""


def checked(features: Features) -> Features:
    """Return features as they are.

    Raises:
        Incompatible: They are no dict of tensors with a row a sample.
    """
    if not isinstance(features, Mapping):
        raise Incompatible(
            f"features are a dict, layer -> tensor, not {_called(features)}; write "
            '{"name": features}'
        )
    for name, value in features.items():
        if not isinstance(value, Tensor) or value.dim() < 2:
            raise Incompatible(
                f"features of layer {name!r} are a tensor (N, ...) of two axes or more, not "
                f"{_called(value)}; give one row a sample"
            )
    return features


def alike(features: Features) -> Features:
    """Return the features of one set of samples as they are.

    Raises:
        Incompatible: As `checked`; or the layers are of different numbers of samples.
    """
    checked(features)
    if len({len(value) for value in features.values()}) != 1:
        counts = ", ".join(f"{name} {len(value)}" for name, value in features.items()) or "none"
        raise Incompatible(
            f"features are layers of the same samples, here are of {counts}; give each layer as many"
        )
    return features


def check_layouts(one: Layout, other: Layout) -> None:
    """Refuse two summaries of other features.

    Raises:
        Incompatible: Their layers have other names or numbers of features.
    """
    if one != other:
        left, right = (
            ", ".join(f"{name} ({size})" for name, size in layout) for layout in (one, other)
        )
        raise Incompatible(
            f"summaries of other features: {left} and {right}; give both the same layers"
        )


def both(kind: type[S], reference: object, sample: object) -> tuple[S, S]:
    """Return the summaries of a metric's two sides.

    Raises:
        Incompatible: One is none that the metric's `summarise` returns.
    """
    for name, side in (("reference", reference), ("sample", sample)):
        if not isinstance(side, kind):
            raise Incompatible(
                f"the {name} is a summary ({kind.__name__}), not {_called(side)}; give what the "
                "metric's summarise(features) returns"
            )
    assert isinstance(reference, kind) and isinstance(sample, kind)
    return reference, sample


def _called(value: object) -> str:
    """Return what a value is called in a sentence."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    return f"{type(value).__name__} {str(value)[:40]!r}"
