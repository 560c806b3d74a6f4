"""Budgets: when a run ends."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget"]


@dataclass(frozen=True)
class Budget:
    """When to stop: after a number of steps, of seconds, or whichever comes first."""

    steps: int | None = None
    seconds: float | None = None

    def fraction(self, steps: int, seconds: float) -> float:
        """Return the share of the budget that is used; 1 or more means stop."""
        by_steps = steps / self.steps if self.steps else 0.0
        by_time = seconds / self.seconds if self.seconds else 0.0
        return max(by_steps, by_time)
