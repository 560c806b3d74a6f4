"""Budgets: when a run ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["UNITS", "Budget"]

UNITS = ("steps", "minutes", "operations")
"""The keys of a recipe that are budgets: one given by hand replaces all that a recipe has."""


@dataclass(frozen=True)
class Budget:
    """When to stop: after a number of steps, seconds or operations, whichever comes first.

    Attributes:
        steps: Optimiser steps.
        seconds: Seconds of training.
        operations: Floating-point operations.
        each: Operations of a step, once they have been counted.
    """

    steps: int | None = None
    seconds: float | None = None
    operations: float | None = None
    each: int | None = None

    @property
    def counts(self) -> bool:
        """Whether the operations of a step are still to be counted."""
        return self.operations is not None and self.each is None

    @property
    def afforded(self) -> int | None:
        """Steps until the operations are used up; None before those of a step are counted."""
        if self.operations is None or self.each is None:
            return None
        return math.ceil(self.operations / self.each)

    def fraction(self, steps: int, seconds: float) -> float:
        """Return the share of the budget that is used; 1 or more means stop."""
        by_steps = steps / self.steps if self.steps else 0.0
        by_time = seconds / self.seconds if self.seconds else 0.0
        by_work = steps / self.afforded if self.afforded else 0.0
        return max(by_steps, by_time, by_work)
