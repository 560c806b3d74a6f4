"""Phases: alternating optimisation as a list of records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..events import Progress
from .finite import Look, look_at_networks
from .schedule import Schedule

__all__ = ["Phase"]


@dataclass(frozen=True)
class Phase:
    """One thing that is optimised in turn.

    A family names everything up to `averaged`; what a recipe decides (optimisers, their schedules, the
    clip) is filled in by training.

    Attributes:
        name: `generator`, `critic`, ...: as in `[phase.NAME]`.
        modules: Name -> the modules whose parameters this phase trains.
        objective: Adds one step's gradient to the modules and returns scalars to log, detached.
        images: Generated images one call of `objective` sees.
        repeat: Steps of this phase per turn.
        averaged: Whether weight averaging covers it: samples are drawn with what it trains.
        optimizers: Name -> optimiser and its settings over time; together they hold all parameters.
        clip: The largest norm of a step's gradient, all modules together; longer ones are scaled down.
    """

    name: str
    modules: Mapping[str, nn.Module]
    objective: Callable[[], dict[str, Tensor]]
    images: int
    repeat: int = 1
    averaged: bool = True
    optimizers: Mapping[str, tuple[torch.optim.Optimizer, Schedule]] = field(default_factory=dict)
    clip: float | None = None

    def step(self, progress: Progress, looks: list[Look] | None = None) -> dict[str, Tensor]:
        """Take one step and return what the objective has to log.

        Args:
            progress: How far the run is, for schedules.
            looks: Is given what tells later whether all was finite.
        """
        for optimizer, schedule in self.optimizers.values():
            schedule.apply(progress)
            optimizer.zero_grad(set_to_none=True)
        shown = self.objective()
        if self.clip is not None:
            parameters = [p for module in self.modules.values() for p in module.parameters()]
            nn.utils.clip_grad_norm_(parameters, self.clip)
        for optimizer, _ in self.optimizers.values():
            optimizer.step()
        if looks is not None:
            looks += getattr(self.objective, "looks", ())
            looks += look_at_networks(self.modules)
        return shown
