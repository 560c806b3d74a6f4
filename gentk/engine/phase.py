"""Phases: alternating optimisation as a list of records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .schedule import Schedule

__all__ = ["Phase"]


@dataclass(frozen=True)
class Phase:
    """One thing that is optimised in turn.

    Attributes:
        name: `generator`, `critic`, ...
        modules: Name -> the modules whose parameters this phase's optimiser holds.
        optimizer: The optimiser.
        objective: Adds one step's gradient to the modules and returns scalars to log, detached.
        images: Generated images one call of `objective` sees.
        schedule: The optimiser's settings over time.
        repeat: Steps of this phase per turn.
    """

    name: str
    modules: dict[str, nn.Module]
    optimizer: torch.optim.Optimizer
    objective: Callable[[], dict[str, Tensor]]
    images: int
    schedule: Schedule
    repeat: int = 1
