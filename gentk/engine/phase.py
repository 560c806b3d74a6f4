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
        clip: The largest norm of a step's gradient, all modules together; longer ones are scaled down.
    """

    name: str
    modules: dict[str, nn.Module]
    optimizer: torch.optim.Optimizer
    objective: Callable[[], dict[str, Tensor]]
    images: int
    schedule: Schedule
    repeat: int = 1
    clip: float | None = None

    def step(self) -> dict[str, Tensor]:
        """Take one step and return what the objective has to log."""
        self.optimizer.zero_grad(set_to_none=True)
        shown = self.objective()
        if self.clip is not None:
            parameters = [p for module in self.modules.values() for p in module.parameters()]
            nn.utils.clip_grad_norm_(parameters, self.clip)
        self.optimizer.step()
        return shown
