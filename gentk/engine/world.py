"""The world: the device that this process computes on, and the processes that train a run with it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .device import choose_device

__all__ = ["World", "join"]


@dataclass(frozen=True)
class World:
    """The processes that train one run, of which this is one.

    Attributes:
        device: Where this process computes.
        rank: Its number, from 0 on.
        size: How many there are.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    size: int = 1


def join(device: str) -> World:
    """Return the world of this process.

    Args:
        device: As `Recipe.device`.

    Raises:
        UsageError: The name is unknown, or this machine has no such device.
    """
    return World(choose_device(device))
