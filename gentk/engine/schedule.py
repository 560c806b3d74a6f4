"""Schedules: what an optimiser's settings are after so many images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch

from ..events import Progress

__all__ = ["Decay", "Schedule"]

Decay = Literal["none", "linear", "cosine"]


class Schedule:
    """Settings of an optimiser as a function of progress; stateless, so a resume cannot miss it.

    Args:
        optimizer: Whose parameter groups are set.
        entries: (images, settings): from that many images seen on, these settings hold.
        decay: How `lr` falls to zero over the whole budget: `none`, `linear`, or `cosine`.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        entries: Sequence[tuple[int, Mapping[str, Any]]] = (),
        decay: Decay = "none",
    ) -> None:
        self.optimizer = optimizer
        self.entries = sorted(entries, key=lambda entry: entry[0])
        self.decay = decay
        self.base = dict(optimizer.defaults)

    def apply(self, progress: Progress) -> None:
        """Set the parameter groups to what holds at this point."""
        if not self.entries and self.decay == "none":
            return
        settings = {"lr": self.base["lr"]}
        for images, change in self.entries:
            settings |= {key: self.base[key] for key in change if key not in settings}
            if progress.images >= images:
                settings |= change
        settings["lr"] *= self._factor(min(max(progress.fraction, 0.0), 1.0))
        for group in self.optimizer.param_groups:
            group.update(settings)

    def _factor(self, fraction: float) -> float:
        if self.decay == "linear":
            return 1 - fraction
        if self.decay == "cosine":
            return (1 + math.cos(math.pi * fraction)) / 2
        return 1.0
