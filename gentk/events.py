"""Events: what the training loop tells its observers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

__all__ = [
    "OBSERVED",
    "Checkpointed",
    "Event",
    "Noticed",
    "Progress",
    "RunEnded",
    "RunFailed",
    "RunStarted",
    "Sampled",
    "Stepped",
]


OBSERVED = "observed/"
"""How the name begins of what a loss observes of a step, besides its terms, in a row of `Stepped`."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        steps: Optimiser steps of the last phase done so far.
        images: Generated images that training has seen so far.
        seconds: Seconds spent training, over all sessions of the run.
        fraction: Share of the budget that is used, 0 to 1.
    """

    steps: int = 0
    images: int = 0
    seconds: float = 0.0
    fraction: float = 0.0


@dataclass(frozen=True)
class Event:
    """Something that happened in a run."""

    progress: Progress


@dataclass(frozen=True)
class RunStarted(Event):
    """Training starts, or goes on after a resume (`progress.steps` > 0).

    Attributes:
        folder: The run's.
        recipe: What it is made of, as run.json records it.
        budget_steps: Optimiser steps after which it ends, or None.
        budget_seconds: Seconds of training, over all sessions, after which it ends, or None. Of two
            budgets the one that is used up first ends it.
    """

    folder: Path
    recipe: Mapping[str, Any]
    budget_steps: int | None
    budget_seconds: float | None


@dataclass(frozen=True)
class Stepped(Event):
    """One or more optimiser steps were taken since the last event of this kind.

    Attributes:
        rows: One mapping per step, oldest first: `step`, `images`, and the terms by name as floats.
    """

    rows: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Sampled(Event):
    """Samples of the generator (averaged weights where there are any), from fixed latents.

    Attributes:
        images: (N, C, H, W) in [0, 1], float32, on the CPU.
    """

    images: Tensor


@dataclass(frozen=True)
class Checkpointed(Event):
    """A checkpoint was written to `path`."""

    path: Path


@dataclass(frozen=True)
class Noticed(Event):
    """Something people should know, in one sentence."""

    message: str


@dataclass(frozen=True)
class RunEnded(Event):
    """The budget is used up; `result` is what run.json records."""

    result: Mapping[str, Any]


@dataclass(frozen=True)
class RunFailed(Event):
    """Training stopped early: an error, or Ctrl-C."""

    error: BaseException
