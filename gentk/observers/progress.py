"""Progress: where a run is, how fast it goes and when it will be done, on stderr or in a notebook."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.progress import BarColumn, Progress, TextColumn

from ..events import OBSERVED, Event, Noticed, RunEnded, RunFailed, RunStarted, Stepped
from ..interfaces import Observer
from ..printable import printable

__all__ = ["ProgressBar"]

SMOOTHING = 0.9
"""Weight of the past in the loss that is shown."""

ECHOED = 4
"""Columns that are left free: a terminal writes ^C behind a bar, and a line that is full would wrap."""

LINES = 10
"""Lines per run where stderr is not a terminal."""

PAUSE = 0.2
"""Seconds between two drawings of a notebook's bar: each one is sent to a browser."""


class ProgressBar(Observer):
    """A bar on a terminal or in a notebook, a line every tenth of the budget elsewhere; notices in all.

    `loss` is the batch's own, averaged over steps: m <- 0.9 m + 0.1 loss, started at the first. So is
    what the loss observes besides under a plain name, such as the `force` of a loss that is constant.
    """

    shows_notices = True

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar: _Bar | None = None
        if console.is_jupyter:
            self._bar = _Cell(console)
        elif sys.stderr.isatty() and not console.is_dumb_terminal:
            self._bar = _Bar(console)
        self._start: RunStarted | None = None
        self._averages: dict[str, float] = {}
        self._told = 0

    def observe(self, event: Event) -> None:
        """Show an event; errors are for whoever started the run to tell."""
        if isinstance(event, RunStarted):
            self._begin(event)
        elif isinstance(event, Stepped):
            self._step(event)
        elif isinstance(event, Noticed):
            self._say(f"note: {event.message}")
        elif isinstance(event, RunEnded | RunFailed) and self._bar:
            self._bar.stop()

    def _begin(self, event: RunStarted) -> None:
        self._start = event
        done = event.progress.steps
        self._told = int(event.progress.fraction * LINES + 1e-9)
        verb = f"going on from step {done:,}" if done else "training"
        self._say(f"{verb} in {event.folder}")
        if self._bar:
            task = self._bar.add_task("", total=1.0, shown="")
            self._bar.update(task, completed=event.progress.fraction)
            self._bar.start()

    def _step(self, event: Stepped) -> None:
        for row in event.rows:
            for key, value in row.items():
                name = key.removeprefix(OBSERVED)
                if key == "loss" or (name != key and "/" not in name):
                    past = self._averages.get(name, math.nan)
                    first = math.isnan(past)
                    self._averages[name] = (
                        value if first else SMOOTHING * past + (1 - SMOOTHING) * value
                    )
        fraction = min(event.progress.fraction, 1.0)
        if self._bar and self._bar.tasks:
            self._bar.update(self._bar.tasks[0].id, completed=fraction, shown=self._shown(event))
            self._bar.follow()
        tenth = int(fraction * LINES + 1e-9)
        if not self._bar and tenth > self._told:
            self._told = tenth
            self._say(f"{fraction:4.0%}  {self._shown(event)}")

    def _shown(self, event: Event) -> str:
        """Return counts, the time of a budget in minutes, rate, time left and loss in one line."""
        now, start = event.progress, self._start
        steps, time = f"{now.steps:,}", ""
        seconds = now.seconds
        images = now.images
        if start is not None:
            steps += f"/{start.budget_steps:,}" if start.budget_steps else ""
            if start.budget_seconds:
                time = f"{_clock(now.seconds)}/{_clock(start.budget_seconds)}  "
            seconds -= start.progress.seconds
            images -= start.progress.images
        rate = images / seconds if seconds > 0 else 0.0
        share = now.fraction - (start.progress.fraction if start else 0.0)
        left = seconds * (1 - now.fraction) / share if share > 0 else 0.0
        pace = f"{rate:,.0f} img/s  {_clock(left)} left"
        values = "  ".join(f"{name} {value:.4g}" for name, value in self._averages.items())
        return f"{steps} steps  {time}{pace}  {values or 'loss nan'}"

    def _say(self, text: str) -> None:
        text = printable(text)
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)


class _Bar(Progress):
    """A bar narrower than the terminal, so that Ctrl-C leaves one and not two."""

    def __init__(self, console: Console) -> None:
        self._terminal = console
        super().__init__(
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:3.0f}%"),
            TextColumn("{task.fields[shown]}", markup=False),
            console=console,
            get_time=time.monotonic,
        )

    def get_renderable(self) -> RenderableType:
        """Return what is drawn."""
        return Constrain(super().get_renderable(), max(1, self._terminal.width - ECHOED))

    def follow(self) -> None:
        """Show what has changed; on a terminal a thread of rich's does so."""


class _Cell(_Bar):
    """A bar in a notebook: shown once, and drawn anew in its place.

    What is shown is what rich makes of it for a notebook; its own way to keep it live needs ipywidgets.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._place: Any = None
        self._drawn = -math.inf

    def start(self) -> None:
        """Show it."""
        from IPython.display import display

        self._place = display(self, display_id=True)

    def follow(self) -> None:
        """Draw it anew, if the last time was a while ago."""
        if time.monotonic() - self._drawn > PAUSE:
            self._draw()

    def stop(self) -> None:
        """Draw it for the last time."""
        self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        if self._place is not None:
            self._place.update(self)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
