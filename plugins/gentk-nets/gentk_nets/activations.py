"""Activations by name, and the range that outputs keep to after one."""

from __future__ import annotations

from typing import Final

from torch import nn

from gentk.interfaces import Range

__all__ = ["ACTIVATIONS", "RANGES"]

ACTIVATIONS: Final[dict[str, type[nn.Module]]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "linear": nn.Identity,
}
"""Name -> module."""

RANGES: Final[dict[str, Range | None]] = {"sigmoid": "unit", "tanh": "signed", "linear": None}
"""Last non-linearity -> the range of what comes out; None if it is unbounded."""
