"""The estimator that does not track: every batch speaks for itself."""

from __future__ import annotations

from typing import ClassVar

from ..interfaces import Estimator, StatisticKind, Statistics
from ..summary.checking import check_statistics

__all__ = ["Batch"]


class Batch(Estimator):
    """tracked = batch: the plain gradient of the loss on the batch's own statistics."""

    accepts: ClassVar[frozenset[StatisticKind]] = frozenset({"real", "psd", "samples"})
    remembers = False

    def start(self, data: Statistics, seed: Statistics | None = None) -> None:
        """Do nothing but look at the statistics: there is no state."""
        check_statistics("estimator 'batch'", data)

    def forward(self, model: Statistics, data: Statistics) -> Statistics:
        """Return the batch's statistics as they are."""
        check_statistics("estimator 'batch'", model)
        return model
