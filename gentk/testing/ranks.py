"""Ranks without processes: several ranks of one world, taking turns in this process.

Each rank is a thread, of which one runs at a time: from one exchange to the next, then the next rank
does. The global random state is each rank's own, so that what they compute is what processes would.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..engine import World, randomness
from ..engine.world import acting_as
from ..errors import PeerLost

__all__ = ["together"]

T = TypeVar("T")

CPU = torch.device("cpu")


def together(size: int, body: Callable[[World], T]) -> list[T]:
    """Return what `body` returns on each of several ranks; raise what the first one that fails raises.

    Args:
        size: How many ranks.
        body: What each does with its world. Each begins with the random state of now, and shares with
            the others what it shares with them, networks too: it makes its own.
    """
    table = _Table(size)
    results: list[Any] = [None] * size

    def act(rank: int) -> None:
        link = _Seat(table, rank)
        try:
            table.wait(rank)
            world = World(CPU, rank, size, link)
            with acting_as(world):
                results[rank] = body(world)
        except BaseException as error:
            table.fail(error)
        finally:
            table.leave(rank)

    threads = [threading.Thread(target=act, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if table.fault is not None:
        raise table.fault
    return results


class _Table:
    """What the ranks put down for each other, and whose turn it is."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.turn = 0
        self.changed = threading.Condition()
        self.states = [randomness.get_state(CPU) for _ in range(size)]
        self.here = set(range(size))
        self.rounds: list[dict[int, Any]] = []
        self.spoken = False
        self.fault: BaseException | None = None

    def wait(self, rank: int) -> None:
        """Wait for a rank's turn, and put its random state back."""
        with self.changed:
            self.changed.wait_for(lambda: self.turn == rank)
        randomness.set_state(self.states[rank], CPU)

    def pass_on(self, rank: int) -> None:
        """Let the next rank go on."""
        self.states[rank] = randomness.get_state(CPU)
        with self.changed:
            order = [(rank + step) % self.size for step in range(1, self.size + 1)]
            self.turn = next((other for other in order if other in self.here), -1)
            self.changed.notify_all()

    def leave(self, rank: int) -> None:
        """End a rank."""
        self.here.discard(rank)
        self.pass_on(rank)

    def fail(self, error: BaseException) -> None:
        """Keep the first error: others follow from it."""
        self.fault = self.fault or error


class _Seat:
    """The link of one rank."""

    def __init__(self, table: _Table, rank: int) -> None:
        self.table = table
        self.rank = rank
        self.calls = 0

    def _exchange(self, value: Any) -> list[Any]:
        """Put a value down and return those of all ranks."""
        table, number = self.table, self.calls
        self.calls += 1
        if number == len(table.rounds):
            table.rounds.append({})
        table.rounds[number][self.rank] = value
        table.pass_on(self.rank)
        table.wait(self.rank)
        values = table.rounds[number]
        if len(values) < table.size:
            raise PeerLost("another rank has ended")
        return [values[rank] for rank in range(table.size)]

    def add(self, flat: Tensor) -> None:
        """Replace a tensor by its sum over ranks."""
        flat.copy_(torch.stack(self._exchange(flat.clone())).sum(0))

    def collect(self, flat: Tensor) -> list[Tensor]:
        """Return the tensors of all ranks."""
        return self._exchange(flat.clone())

    def tell(self, value: Any) -> list[Any]:
        """Return the values of all ranks."""
        return self._exchange(value)

    def count(self, numbers: Sequence[float]) -> list[list[float]]:
        """Return the numbers of all ranks."""
        return self._exchange(list(numbers))

    def speak(self) -> bool:
        """Whether this rank is the first to fail."""
        first, self.table.spoken = not self.table.spoken, True
        return first
