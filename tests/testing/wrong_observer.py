"""Observers that are wrong in one way each; those whose options are wrong are here too."""

from __future__ import annotations

import math
from pathlib import Path

from gentk import events
from gentk.interfaces import Observer


class Right(Observer):
    """It counts events: nothing is wrong with it."""

    count = 0

    def observe(self, event):
        self.count += 1


class Undocumented(Right):
    """It does not say what its option does."""

    def __init__(self, *, every: int = 10):
        self.every = every


class Positional(Right):
    """Its option cannot be set.

    Args:
        every: Steps between two lines.
    """

    def __init__(self, every: int = 10):
        self.every = every


class Untyped(Right):
    """Its option has no type.

    Args:
        every: Steps between two lines.
    """

    def __init__(self, *, every=10):
        self.every = every


class Dividing(Right):
    """A value of its option is a crash.

    Args:
        every: Steps between two lines.
    """

    def __init__(self, *, every: int = 10):
        self.rate = 1 / every


class Optimist(Right):
    """It does not expect a loss that is not finite."""

    def observe(self, event):
        if isinstance(event, events.Stepped):
            assert all(math.isfinite(row["loss"]) for row in event.rows)


class Winner(Right):
    """It does not expect a run to fail."""

    def observe(self, event):
        if isinstance(event, events.RunFailed):
            raise event.error


class Conservative(Right):
    """It knows all events there are."""

    def observe(self, event):
        if not hasattr(events, type(event).__name__):
            raise TypeError(type(event))


class Grabbing(Right):
    """It changes the images it is shown."""

    def observe(self, event):
        if isinstance(event, events.Sampled):
            event.images.clamp_(0.4, 0.6)


class Loud(Right):
    """It prints."""

    def observe(self, event):
        print(event)


class Astray(Right):
    """It writes where it stands."""

    def observe(self, event):
        Path("log.txt").write_text("an event")


class Curious(Right):
    """It opens a file that no checkpoint has."""

    def observe(self, event):
        if isinstance(event, events.Checkpointed) and event.path.exists():
            (event.path / "model.bin").read_bytes()


WRONG = {
    "test_its_options_are_documented": Undocumented,
    "test_its_options_are_keywords": Positional,
    "test_its_options_are_typed": Untyped,
    "test_odd_values_are_taken_or_refused": Dividing,
    "test_it_takes_every_event": Optimist,
    "test_it_takes_a_failing_run": Winner,
    "test_it_takes_events_of_tomorrow": Conservative,
    "test_it_changes_nothing": Grabbing,
    "test_it_leaves_stdout_alone": Loud,
    "test_it_keeps_to_the_run_folder": Astray,
    "test_a_run_keeps_it": Curious,
}
