"""The world: the device that this process computes on, and the processes that train a run with it.

N processes take the step that one takes. The batch is drawn whole by each of them and cut into the same
chunks, of which rank r has r, r + N, r + 2N, ...; what is additive (summaries, gradients, running means)
is summed, never averaged, so that every process has the total and goes on with the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from ..errors import Incompatible, RunError
from ..launch import launched
from .chunks import chunk_sizes
from .device import choose_device

__all__ = ["Link", "World", "acting_as", "check_chunks", "join"]

T = TypeVar("T")

BUCKET = 2**24
"""Numbers that are summed over ranks at a time: what is sent is copied once more."""


class Link(Protocol):
    """How processes reach each other; all of them make the same calls in the same order."""

    def add(self, flat: Tensor) -> None:
        """Replace a tensor, (n,), by its sum over ranks, the same bits on each."""
        ...

    def collect(self, flat: Tensor) -> list[Tensor]:
        """Return the tensors, (n,) with one n, of all ranks."""
        ...

    def tell(self, value: Any) -> list[Any]:
        """Return the values of all ranks, without waiting for devices."""
        ...

    def count(self, numbers: Sequence[float]) -> list[list[float]]:
        """Return numbers, as many of each rank, of all ranks: what is asked every step."""
        ...

    def speak(self) -> bool:
        """Whether this process is the first to fail, which is the one that says so."""
        ...


@dataclass(frozen=True)
class World:
    """The processes that train one run, of which this is one.

    Attributes:
        device: Where this process computes.
        rank: Its number, from 0 on; 0 writes and prints.
        size: How many there are.
        link: How they reach each other; None for one alone.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    size: int = 1
    link: Link | None = None

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def notes(self) -> list[str]:
        """Return what a run says of it at its start: how many processes there are, if it is not one."""
        return [f"on {self.size} processes"] if self.size > 1 else []

    @torch.no_grad()
    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over ranks, in place; they lie alike in the memory of all."""
        if self.link is None:
            return
        for bucket in _buckets([_as_it_lies(tensor) for tensor in tensors]):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            self.link.add(flat)
            parts = flat.split([tensor.numel() for tensor in bucket])
            for tensor, part in zip(bucket, parts, strict=True):
                tensor.copy_(part.view(tensor.shape))

    def gather(self, rows: Tensor, counts: Sequence[int]) -> list[Tensor]:
        """Return the rows of every rank, without a graph.

        Args:
            rows: (n, ...), of this one.
            counts: The number of rows of each.
        """
        if self.link is None:
            return [rows]
        longest = max(counts)
        padded = rows.detach()
        if len(rows) < longest:
            padded = rows.new_zeros(longest, *rows.shape[1:])
            padded[: len(rows)] = rows.detach()
        everyone = self.link.collect(padded.reshape(-1))
        return [own.view(padded.shape)[:count] for own, count in zip(everyone, counts, strict=True)]

    def tell(self, value: T) -> list[T]:
        """Return what each rank has to say, by rank."""
        return [value] if self.link is None else self.link.tell(value)

    def count(self, numbers: Sequence[float]) -> list[list[float]]:
        """Return the numbers of each rank, as many of each, by rank."""
        return [list(numbers)] if self.link is None else self.link.count(numbers)

    def share(self, value: T) -> T:
        """Return what rank 0 has to say."""
        return self.tell(value if self.leads else None)[0]  # type: ignore[return-value]

    def agree(self, flag: bool) -> bool:
        """Whether a flag is true on any rank."""
        return any(number for (number,) in self.count([float(flag)]))

    def same(self, facts: dict[str, str]) -> None:
        """Refuse to train together what differs.

        Args:
            facts: What it is called in a sentence -> a digest or a version.

        Raises:
            RunError: A rank has another value than rank 0.
        """
        everyone = self.tell(facts)
        for rank, theirs in enumerate(everyone):
            for name in facts:
                if theirs.get(name) != everyone[0].get(name):
                    raise RunError(
                        f"process {rank} has another {name} ({theirs.get(name)}) than process 0 "
                        f"({everyone[0].get(name)}); install and type the same for all processes"
                    )


def check_chunks(world: World, batch: int, chunk: int | None) -> None:
    """Refuse a batch of fewer chunks than there are processes."""
    parts = len(chunk_sizes(batch, chunk or batch))
    if parts >= world.size:
        return
    fitting = batch // world.size
    advice = f"type --chunk {fitting}" if fitting else f"type --batch {2 * world.size} --chunk 2"
    raise Incompatible(
        f"{world.size} processes need {world.size} chunks of a batch, and a batch of {batch} has "
        f"{parts}; {advice}"
    )


_acting: ContextVar[World | None] = ContextVar("acting", default=None)


@contextmanager
def acting_as(world: World) -> Iterator[None]:
    """Have `join` return a world while the block lasts, in this thread."""
    token = _acting.set(world)
    try:
        yield
    finally:
        _acting.reset(token)


def join(device: str) -> World:
    """Return the world of this process: with the others that torchrun, say, has started beside it.

    Args:
        device: As `Recipe.device`; of several processes each takes a device of its own.

    Raises:
        UsageError: The name is unknown, or this machine has no such device.
        RunError: The other processes cannot be reached.
    """
    acting = _acting.get()
    if acting is not None:
        return acting
    here = launched()
    if here.size == 1:
        return World(choose_device(device))
    from .processes import connect

    chosen = choose_device(device)
    if chosen.type == "cuda" and chosen.index is None:
        chosen = torch.device("cuda", here.local_rank % torch.cuda.device_count())
    return World(chosen, here.rank, here.size, connect(chosen))


def _as_it_lies(tensor: Tensor) -> Tensor:
    """Return a view whose dimensions are in the order of memory, so that it is copied in one piece."""
    return tensor.permute(sorted(range(tensor.dim()), key=tensor.stride, reverse=True))


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield tensors of one type that are sent together."""
    kinds: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        kinds.setdefault((tensor.dtype, tensor.device), []).append(tensor)
    for kind in kinds.values():
        bucket: list[Tensor] = []
        for tensor in kind:
            if bucket and sum(each.numel() for each in bucket) + tensor.numel() > BUCKET:
                yield bucket
                bucket = []
            bucket.append(tensor)
        yield bucket
