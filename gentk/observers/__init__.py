"""Observers: what a run prints, logs and draws."""

from __future__ import annotations

from .. import spec as gentk

__all__ = ["gentk_components"]


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the parts of this room."""
    return [
        gentk.Component(
            kind="observer",
            name="progress",
            target="gentk.observers.progress:ProgressBar",
            summary="rate, ETA, loss on stderr",
        ),
        gentk.Component(
            kind="observer",
            name="metrics",
            target="gentk.observers.metrics:MetricsFile",
            summary="metrics.jsonl, a row a step",
        ),
        gentk.Component(
            kind="observer",
            name="grids",
            target="gentk.observers.grids:SampleGrids",
            summary="samples/*.png during training",
        ),
    ]
