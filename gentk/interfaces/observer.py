"""Observers: what a run tells, printed, drawn, logged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from ..events import Event

__all__ = ["Observer"]


class Observer(ABC):
    """Events of a run -> side effects: what is printed, drawn, logged.

    An observer runs under its own forked random state and cannot change the run; one that fails is
    reported and dropped.

    Attributes:
        checkpoint_steps: Steps after which it wants a checkpoint, again and again; None if whenever.
        shows_notices: Whether people read what it is told is `Noticed`, as in a terminal. Where no
            observer does, Python's warnings say which observer failed.
        registry: The `gentk.registry.Registry` in which the run's names were looked up, the caller's
            own objects among them; set before the run starts.
    """

    checkpoint_steps: int | None = None
    registry: object = None
    shows_notices: ClassVar[bool] = False

    @abstractmethod
    def observe(self, event: Event) -> None:
        """Take notice of one event (see `gentk.events`)."""
