"""Ahead: images that are decoded by threads before they are asked for.

A plan says which images will be asked for, in which order. Those next in it are decoded into a queue,
whose size in bytes has a bound; what is asked for against the plan is decoded on the spot, so that a
plan decides when images are decoded and never which.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEPTH", "Ahead", "Plan"]

Plan = Callable[[], Iterator[NDArray[np.int64]]]
"""Returns what will be asked for from now on, one array of indices at a time."""

DEPTH: Final = 2**28
"""Bytes of images that are decoded ahead at most: more would wait without need."""


@dataclass(frozen=True)
class _Waiting:
    """Images that will be asked for, being decoded."""

    indices: NDArray[np.int64]
    images: NDArray[np.uint8]
    parts: list[Future[None]]
    dropped: threading.Event

    def drop(self) -> None:
        """Have threads leave it."""
        self.dropped.set()
        for part in self.parts:
            part.cancel()


class Ahead:
    """Images in the order of a plan.

    Threads are given blocks of images and wait for nothing but these, so that they end with this object.
    A program that ends does not wait for them.

    Args:
        decode: Returns the image at an index.
        shape: The shape of one.
        memory: Returns the bytes that images may wait in; what is next waits in any case.
        threads: How many decode.
        plan: What will be asked for.
    """

    def __init__(
        self,
        decode: Callable[[int], NDArray[np.uint8]],
        shape: tuple[int, ...],
        memory: Callable[[], int],
        threads: int,
        plan: Plan,
    ) -> None:
        self._memory = memory
        self._decode = decode
        self._shape = shape
        self._threads = threads
        self._plan = plan
        self._coming: Iterator[NDArray[np.int64]] | None = None
        self._next: NDArray[np.int64] | None = None
        self._queue: deque[_Waiting] = deque()
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._crew: list[threading.Thread] = []
        weakref.finalize(self, _end, self._queue, self._work, self._crew)

    @property
    def waiting(self) -> int:
        """The bytes of all images in the queue."""
        return sum(each.images.nbytes for each in self._queue)

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images at `indices`, (n, C, H, W)."""
        if self._queue and np.array_equal(self._queue[0].indices, indices):
            asked = self._queue.popleft()
        else:
            self._follow()
            asked = self._queue.popleft() if self._heads(indices) else self._begun(indices)
        try:
            self._fill()
            for part in asked.parts:
                part.result()
        except BaseException:
            asked.drop()
            raise
        return asked.images

    def _heads(self, indices: NDArray[np.int64]) -> bool:
        """Say whether some images are the next of the plan, which are then being decoded."""
        if not self._queue and self._next is not None and np.array_equal(self._next, indices):
            self._advance()
        return bool(self._queue) and np.array_equal(self._queue[0].indices, indices)

    def _follow(self) -> None:
        """Go by the plan as it is now, unless that is what is being done."""
        coming = self._plan()
        following = next(coming, None)
        queued = self._queue[0].indices if self._queue else self._next
        if following is not None and queued is not None and np.array_equal(queued, following):
            return
        _abandon(self._queue)
        self._coming, self._next = coming, following

    def _fill(self) -> None:
        """Begin what is next, as far as there is room for it."""
        each, room = int(np.prod(self._shape)), min(self._memory(), DEPTH)
        while self._next is not None:
            if self._queue and self.waiting + each * len(self._next) > room:
                return
            self._advance()

    def _advance(self) -> None:
        """Begin what is next in the plan."""
        assert self._next is not None and self._coming is not None
        self._queue.append(self._begun(self._next))
        self._next = next(self._coming, None)

    def _begun(self, indices: NDArray[np.int64]) -> _Waiting:
        """Have threads decode some images."""
        images = np.empty((len(indices), *self._shape), dtype=np.uint8)
        dropped = threading.Event()
        size = max(1, -(-len(indices) // (2 * self._threads)))
        parts = [
            self._submit(
                partial(_decode, self._decode, indices, images, start, start + size, dropped)
            )
            for start in range(0, len(indices), size)
        ]
        return _Waiting(indices, images, parts, dropped)

    def _submit(self, block: Callable[[], None]) -> Future[None]:
        """Have a thread do something; the first time, start the threads."""
        while len(self._crew) < self._threads:
            # Those of concurrent.futures are waited for when a program ends, with all they have to do.
            thread = threading.Thread(
                target=_serve, args=(self._work,), name="gentk-ahead", daemon=True
            )
            self._crew.append(thread)
            thread.start()
        future: Future[None] = Future()
        self._work.put(partial(_answer, future, block))
        return future


def _serve(work: SimpleQueue[Callable[[], None] | None]) -> None:
    """Do what is put into a queue, until that is None."""
    while (job := work.get()) is not None:
        job()
        del job


def _answer(future: Future[None], block: Callable[[], None]) -> None:
    """Do something and tell its future how it ended."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        block()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)


def _decode(
    decode: Callable[[int], NDArray[np.uint8]],
    indices: NDArray[np.int64],
    images: NDArray[np.uint8],
    start: int,
    stop: int,
    dropped: threading.Event,
) -> None:
    """Decode a block of images, unless nobody wants it any more."""
    for row, index in enumerate(indices[start:stop].tolist(), start):
        if dropped.is_set():
            return
        images[row] = decode(index)


def _abandon(queue: deque[_Waiting]) -> None:
    """Have threads leave all that is queued, and forget it."""
    while queue:
        queue.popleft().drop()


def _end(
    queue: deque[_Waiting],
    work: SimpleQueue[Callable[[], None] | None],
    crew: list[threading.Thread],
) -> None:
    """Have threads leave all that is queued, and end."""
    _abandon(queue)
    for _ in crew:
        work.put(None)
