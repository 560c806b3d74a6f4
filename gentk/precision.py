"""Precision: float64 on the devices that have it, and what to do on those that have not."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["double", "home_of_float64", "widest"]

WITHOUT_FLOAT64 = frozenset({"mps"})
"""Types of device that have no float64."""


def widest(device: torch.device) -> torch.dtype:
    """Return the most precise type of a device: float64, or float32 where it has none."""
    return torch.float32 if device.type in WITHOUT_FLOAT64 else torch.float64


def home_of_float64(device: torch.device) -> torch.device:
    """Return where float64 tensors that belong to a device lie: there, or on the CPU."""
    return torch.device("cpu") if device.type in WITHOUT_FLOAT64 else device


def double(tensor: Tensor) -> Tensor:
    """Return a tensor in float64, on the CPU where its device has none; float64 as it is."""
    return tensor.to(home_of_float64(tensor.device)).double()
