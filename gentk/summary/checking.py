"""Checking: features that a user hands over, before anything is computed of them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..errors import Incompatible
from ..interfaces import Features

__all__ = ["alike", "checked"]


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


def _called(value: object) -> str:
    """Return what a value is called in a sentence."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    return f"{type(value).__name__} {str(value)[:40]!r}"
