"""The suite of observers."""

from __future__ import annotations

import copy
import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import torch

from ..events import (
    Checkpointed,
    Event,
    Noticed,
    Progress,
    RunEnded,
    RunFailed,
    RunStarted,
    Sampled,
    Stepped,
)
from ..interfaces import Observer
from .suite import Suite
from .trial import composed, trained

__all__ = ["ObserverSuite"]


class ObserverSuite(Suite):
    """It takes every event, changes none, keeps to the run's folder and off stdout."""

    kind = "observer"
    interface: ClassVar[type[Any]] = Observer

    def events(self, folder: Path) -> list[Event]:
        """Return what a run tells, in its order: one that completes."""
        row = {"step": 1.0, "images": 8.0, "loss": 0.5, "loss/mean": 0.5}
        now = Progress(1, 8, 0.1, 0.5)
        images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        return [
            RunStarted(Progress(), folder, {"loss": "moments"}, 2, None),
            Noticed(Progress(), "something people should know"),
            Stepped(now, [row]),
            Sampled(now, images),
            Checkpointed(now, folder / "checkpoints" / "00000001"),
            Stepped(now, [{**row, "step": 2.0, "loss": math.nan}, {**row, "step": 3.0}]),
            RunEnded(now, {"steps": 2, "images": 16, "seconds": 0.2, "loss": 0.4}),
        ]

    def tell(self, observer: Observer, events: list[Event]) -> None:
        """Tell events one by one; fail with the name of the one it raises at."""
        for event in events:
            try:
                observer.observe(event)
            except (Exception, KeyboardInterrupt) as error:
                told = getattr(event, "error", None)
                if isinstance(error, KeyboardInterrupt) and error is not told:
                    raise  # Somebody's Ctrl-C, and not the one that it was told of.
                raise AssertionError(
                    f"at {type(event).__name__} it ends in {type(error).__name__}: {error}"
                ) from error

    def test_it_takes_every_event(self) -> None:
        """It raises at no event of a run that starts and completes."""
        with _places() as (folder, _):
            self.tell(self.make(), self.events(folder))

    def test_it_takes_a_failing_run(self) -> None:
        """It raises at no event of a run that goes on from a checkpoint, and fails."""
        with _places() as (folder, _):
            later = Progress(5, 40, 1.0, 0.5)
            events: list[Event] = [
                RunStarted(later, folder, {}, None, 60.0),
                RunFailed(later, KeyboardInterrupt()),
            ]
            self.tell(self.make(), events)

    def test_it_takes_events_of_tomorrow(self) -> None:
        """It passes over an event of a class that it does not know."""
        with _places() as (folder, _):
            start, end = self.events(folder)[0], self.events(folder)[-1]
            self.tell(self.make(), [start, _Tomorrow(Progress()), end])

    def test_it_changes_nothing(self) -> None:
        """What it is told is not changed: other observers are told it too."""
        with _places() as (folder, _):
            events = [
                event for event in self.events(folder) if isinstance(event, Stepped | Sampled)
            ]
            observer = self.make()
            _quietly(observer, [self.events(folder)[0]])
            for event in events:
                before = copy.deepcopy(event)
                _quietly(observer, [event])
                if isinstance(event, Sampled) and isinstance(before, Sampled):
                    assert torch.equal(event.images, before.images), "it changes the sample images"
                else:
                    assert repr(event) == repr(before), "it changes the rows of a step"

    def test_it_leaves_stdout_alone(self) -> None:
        """It prints on stderr if at all: stdout is for the command's result."""
        printed = io.StringIO()
        with _places() as (folder, _), redirect_stdout(printed):
            _quietly(self.make(), self.events(folder))
        assert not printed.getvalue(), f"it prints {printed.getvalue()[:60]!r} on stdout"

    def test_it_keeps_to_the_run_folder(self) -> None:
        """It writes nothing in the working folder: what belongs to a run goes to its folder."""
        with _places() as (folder, here):
            _quietly(self.make(), self.events(folder))
            strays = [path.name for path in here.iterdir()]
        assert not strays, f"it writes {', '.join(strays)}; write to the folder of RunStarted"

    def test_a_run_keeps_it(self) -> None:
        """A run of a few steps tells it everything and does not drop it."""
        dropped = _Dropped()
        with _places(), composed(self.names) as composition:
            trained(composition, [self.make(), dropped])
        assert not dropped.messages, "; ".join(dropped.messages)


class _Tomorrow(Event):
    """An event of a later version of gentk."""


class _Dropped(Observer):
    """Remembers who was dropped."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def observe(self, event: Event) -> None:
        """Take notice of notices."""
        if isinstance(event, Noticed) and "is dropped" in event.message:
            self.messages.append(event.message)


def _quietly(observer: Observer, events: list[Event]) -> None:
    """Tell events; what it raises is another check's business."""
    for event in events:
        try:
            observer.observe(event)
        except Exception:
            return


@contextmanager
def _places() -> Iterator[tuple[Path, Path]]:
    """Give the folder of a run, and an empty working folder that is entered."""
    before = Path.cwd()
    with TemporaryDirectory() as run, TemporaryDirectory() as here:
        os.chdir(here)
        try:
            yield Path(run), Path(here)
        finally:
            os.chdir(before)
