"""Phases: alternating optimisation as a list of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from ..events import Progress
from .finite import Look, look_at_networks
from .schedule import Schedule

__all__ = ["Phase", "lay_out"]


@dataclass(frozen=True)
class Phase:
    """One thing that is optimised in turn.

    Between a step's gradient and its update, the parts of its modules that have a method `before_update`
    are told, parametrizations with the weight as it is trained: so vectors of spectral normalisation
    move once a step, however often the weights are used in it.

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
        clamp: The largest size of a weight: after the optimisers' step all parameters of all modules,
            biases and gains of norms among them, are brought within [-clamp, clamp]; of a module that
            has a method `clamped`, those that it returns.
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
    clamp: float | None = None

    def __post_init__(self) -> None:
        """Look for the parts of the modules that want to be told before an update."""
        object.__setattr__(self, "_told", list(_told(self.modules.values())))

    @torch.no_grad()
    def _clamp(self, size: float) -> None:
        weights: list[Tensor] = [
            weight
            for module in self.modules.values()
            for weight in getattr(module, "clamped", module.parameters)()
        ]
        torch._foreach_clamp_min_(weights, -size)
        torch._foreach_clamp_max_(weights, size)

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
        for part in self._told:  # type: ignore[attr-defined]
            part()
        for optimizer, _ in self.optimizers.values():
            optimizer.step()
        if self.clamp is not None:
            self._clamp(self.clamp)
        if looks is not None:
            # An objective is an object that is called, or a method of one.
            looks += getattr(getattr(self.objective, "__self__", self.objective), "looks", ())
            looks += look_at_networks(self.modules)
        return shown


def _told(modules: Iterable[nn.Module]) -> Iterator[Callable[[], None]]:
    """Yield what tells parts of modules that their weights are about to move."""
    parts = [part for module in modules for part in module.modules()]
    lists = [part for part in parts if isinstance(part, ParametrizationList)]
    within = {id(own) for each in lists for own in each}
    for each in lists:
        yield from (partial(_tell, each, own) for own in each if hasattr(own, "before_update"))
    for part in parts:
        if id(part) not in within and hasattr(type(part), "before_update"):
            told: Callable[[], None] = getattr(part, "before_update")  # noqa: B009 - of no known type
            yield told


def _tell(owner: ParametrizationList, part: Any) -> None:
    """Tell a parametrization, with the weight as it is trained."""
    part.before_update(owner.original)


def lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Give an optimiser's state the memory layout of its parameters.

    Fused kernels walk parameters and state side by side in memory; what comes from a file is
    contiguous, and a channels-last weight would meet another weight's moments.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
