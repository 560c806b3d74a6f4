"""TensorBoard: a run's curves, sample grids, settings and notices in its folder `tensorboard`.

Look at all runs with `tensorboard --logdir runs`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from gentk.errors import BadOption
from gentk.events import (
    Checkpointed,
    Event,
    Noticed,
    RunEnded,
    RunFailed,
    RunStarted,
    Sampled,
    Stepped,
)
from gentk.interfaces import Observer

__all__ = ["TensorBoard"]

COUNTS = frozenset({"step", "images"})
METRIC = "loss"
"""The curve by which the HParams tab compares runs."""


class TensorBoard(Observer):
    """Writes what a run tells into FOLDER/tensorboard, where TensorBoard finds it.

    A run that goes on from step k keeps what was written up to k: what a killed process logged after
    its last checkpoint is purged and comes again.

    Args:
        every: Steps between points of a curve.
        images: Whether sample grids are written.
    """

    def __init__(self, *, every: int = 1, images: bool = True) -> None:
        if every < 1:
            raise BadOption(f"observer 'tensorboard': every={every} is no distance; write every=1")
        self.every = every
        self.images = images
        self._writer: SummaryWriter | None = None
        self._end: Any = None

    def observe(self, event: Event) -> None:
        """Write what an event tells."""
        if isinstance(event, RunStarted):
            self._start(event)
        elif self._writer is not None:
            self._write(event, self._writer)

    def _start(self, event: RunStarted) -> None:
        """Open the folder; write the recipe as text and as hyperparameters."""
        steps = event.progress.steps
        purged = steps + 1 if steps else 0
        writer: Any = SummaryWriter(event.folder / "tensorboard", purge_step=purged)
        recipe = json.dumps(dict(event.recipe), indent=2, default=str)
        writer.add_text("recipe", f"```json\n{recipe}\n```", steps)
        experiment, begin, self._end = hparams(_flat(event.recipe), {METRIC: math.nan})
        for summary in (experiment, begin):
            writer.file_writer.add_summary(summary)
        self._writer = writer

    def _write(self, event: Event, writer: Any) -> None:
        steps = event.progress.steps
        if isinstance(event, Stepped):
            for row in event.rows:
                self._add_row(row, writer)
        elif isinstance(event, Sampled) and self.images and event.images.shape[1] in (1, 3):
            writer.add_images("samples", event.images.clamp(0, 1), steps)
        elif isinstance(event, Noticed):
            writer.add_text("notices", event.message, steps)
        elif isinstance(event, Checkpointed):
            writer.flush()
        elif isinstance(event, RunEnded | RunFailed):
            if isinstance(event, RunEnded):
                writer.file_writer.add_summary(self._end)
            writer.close()
            self._writer = None

    def _add_row(self, row: Mapping[str, float], writer: Any) -> None:
        step = int(row["step"])
        if step % self.every == 0:
            for name in row.keys() - COUNTS:
                writer.add_scalar(name, row[name], step)


def _flat(recipe: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Return what is set in a recipe as TensorBoard takes it: numbers, truth values and texts."""
    values: dict[str, bool | int | float | str] = {}
    for name, value in recipe.items():
        if isinstance(value, bool | int | float | str):
            values[name] = value
        elif value:
            values[name] = json.dumps(value, default=str)
    return values
