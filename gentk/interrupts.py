"""Interrupts: Ctrl-C, SIGTERM and SIGHUP end whatever is being done, cleanly.

    first    raises `Stopped`; inside `finishing()` it only asks, so that a step may end and be kept;
             what has not ended after `GRACE` is given up, but for a checkpoint that is being written
    second   raises `Stopped` there too: what is half-written is removed on the way out
    later    ends the process if that way out takes long

A hang-up that is ignored already, as under nohup, stays ignored.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Request", "Stopped", "catching", "finishing", "keeping", "stopped_by"]

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
GRACE = 5.0
"""Seconds that a step may take to end after it is asked: half of what a container is given to stop."""

PATIENCE = 2.0
"""Seconds that the way out may take before another signal ends the process as it is."""


class Stopped(KeyboardInterrupt):
    """A signal ended what was being done; `exit_code` is the shell's, 128 + its number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.exit_code = 128 + number

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback, as of `GentkError`."""
        return [f"Stopped by {self}; the same call goes on from the last checkpoint, if it trains"]


@dataclass
class Request:
    """What has been asked of something that finishes its step first.

    Attributes:
        number: The signal that asked it to stop, None so far.
    """

    number: int | None = None


class _State:
    """What this process knows of its signals."""

    def __init__(self) -> None:
        self.depth = 0
        self.requests: list[Request] = []
        self.raised: tuple[int, float] | None = None
        self.keeping = 0

    def handle(self, number: int, _: object) -> None:
        """Ask, raise, or end."""
        if self.raised is not None:
            if time.monotonic() - self.raised[1] > PATIENCE:
                os._exit(128 + number)
            return
        if self.requests and self.requests[-1].number is None:
            self.requests[-1].number = number
            if hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_REAL, GRACE, GRACE)
            return
        self.raised = (number, time.monotonic())
        raise Stopped(number)

    def expire(self, _: int, __: object) -> None:
        """Give up what has not ended in time."""
        number = self.requests[-1].number if self.requests else None
        if number is not None and self.raised is None and not self.keeping:
            self.raised = (number, time.monotonic())
            raise Stopped(number)


_state = _State()


@contextmanager
def catching() -> Iterator[None]:
    """Have signals handled so while the block lasts; in the main thread, which is who gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if _state.depth:
        _state.depth += 1
        try:
            yield
        finally:
            _state.depth -= 1
        return
    _state.raised = None
    kept = {}
    for number in SIGNALS:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
            kept[number] = signal.signal(number, _state.handle)
    _state.depth = 1
    try:
        yield
    finally:
        _state.depth = 0
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def finishing() -> Iterator[Request]:
    """Have the first signal ask only; the block looks at the request and ends when it can."""
    request = Request()
    with catching():
        if threading.current_thread() is not threading.main_thread():
            yield request
            return
        timed = hasattr(signal, "setitimer")
        kept = signal.signal(signal.SIGALRM, _state.expire) if timed else None
        _state.requests.append(request)
        try:
            yield request
        finally:
            _state.requests.remove(request)
            if timed:
                if request.number is not None:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, kept or signal.SIG_DFL)


@contextmanager
def keeping() -> Iterator[None]:
    """Have what is written in the block written to its end, however long that takes after one signal."""
    _state.keeping += 1
    try:
        yield
    finally:
        _state.keeping -= 1


def stopped_by(error: BaseException) -> int | None:
    """Return the signal that an error goes back to, None if it goes back to none."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, Stopped):
            return seen.number
        if isinstance(seen, KeyboardInterrupt):
            return int(signal.SIGINT)
        seen = seen.__cause__ or seen.__context__
    return None
