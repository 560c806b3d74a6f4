"""Ranks: what makes one step of the steps of several processes.

Each has its own chunks of the batch. Summaries are added up over ranks before a loss sees them,
gradients and means over samples after their passes, and running means of batch norms as if all chunks
had gone through one network in their order:

    r <- (1 - m)^(K C) r + sum_c (1 - m)^(K (C - 1 - c)) r_c

for C chunks with K passes each, momentum m, and r_c what the passes of chunk c make of zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from operator import add

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import Incompatible
from ..precision import widest
from ..summary import Summary
from ..summary.packed import Form, pack, unpack
from .world import World

__all__ = ["Chunk", "Ranks", "Totals"]


@dataclass(frozen=True)
class Chunk:
    """The samples of a batch that go through the networks together.

    Attributes:
        index: Its number among all chunks of the batch.
        rows: Which samples of the batch they are.
    """

    index: int
    rows: slice


class Ranks:
    """The part of this process in steps of one batch size.

    Args:
        world: The processes.
        sizes: The samples of each chunk of the batch.
        networks: Returns all that samples go through, by what it is called: running means move there,
            other buffers may not.

    Attributes:
        chunks: The chunks of this process.
    """

    def __init__(
        self,
        world: World,
        sizes: Sequence[int],
        networks: Callable[[], Mapping[str, nn.Module | None]],
    ) -> None:
        self.world = world
        self.count = len(sizes)
        edges = [0, *accumulate(sizes)]
        self.chunks = [
            Chunk(index, slice(edges[index], edges[index + 1]))
            for index in range(world.rank, len(sizes), world.size)
        ]
        self._networks = networks
        self._looked = False
        self._means: _RunningMeans | None = None
        self._forms: dict[str, list[list[Form]]] = {}

    @property
    def alone(self) -> bool:
        """Whether there is one process."""
        return self.world.size == 1

    @contextmanager
    def passing(self, chunk: Chunk) -> Iterator[None]:
        """Let a chunk go through the networks, and keep what it makes of their running means."""
        if self.alone:
            yield
            return
        if self._means is None:
            self._means = _RunningMeans(self._networks().values(), self.count)
        before = None if self._looked else self._others()
        with self._means.moved(chunk.index):
            yield
        if before is not None:
            self._looked = True
            self._refuse(before)

    def sum(self, trained: Iterable[nn.Module], shown: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """End a step's passes: sum gradients, running means and what is shown, over ranks.

        Args:
            trained: The modules with the step's gradient.
            shown: Scalars by name: of this rank's samples, by their shares of the batch.

        Returns:
            The scalars of the whole batch.
        """
        if self.alone:
            return dict(shown)
        means, self._means = self._means, None
        shown = {name: value.detach().clone() for name, value in shown.items()}
        gradients = [
            p.grad for module in trained for p in module.parameters() if p.grad is not None
        ]
        moved = means.parts if means is not None else []
        self.world.sum([*gradients, *moved, *shown.values()])
        if means is not None:
            means.settle()
        return shown

    def totals(self, key: str) -> Totals:
        """Return what adds up the summaries of a step's chunks, on all ranks.

        Args:
            key: What is summarised: under one key the chunks of a rank always have the same sizes.
        """
        return Totals(self, key)

    def forms(self, key: str, own: list[Form]) -> list[list[Form]]:
        """Return what all ranks send under a key; they are asked once, since it follows from chunks."""
        if key not in self._forms:
            self._forms[key] = self.world.tell(own)
        return self._forms[key]

    def _others(self) -> dict[str, Tensor]:
        """Return copies of the buffers that no pass may move."""
        kept: dict[str, Tensor] = {}
        for name, network in self._networks().items():
            if network is None:
                continue
            own = {
                id(b) for m in network.modules() if isinstance(m, _BatchNorm) for b in m.buffers()
            }
            kept |= {
                f"{name} {key}": buffer.clone()
                for key, buffer in network.named_buffers()
                if id(buffer) not in own
            }
        return kept

    def _refuse(self, before: Mapping[str, Tensor]) -> None:
        """Refuse a network that keeps in a buffer what it saw: the processes would drift apart."""
        for name, buffer in self._others().items():
            if not torch.equal(buffer, before[name]):
                network, _, key = name.partition(" ")
                raise Incompatible(
                    f"a pass moves the buffer {key!r} of the {network}, which {self.world.size} "
                    "processes would each move by themselves; train it in one process, or choose "
                    "another network"
                )


class Totals:
    """Adds up summaries of chunks: sums as they come, what is concatenated in the order of the chunks.

    Args:
        ranks: Whose chunks.
        key: What is summarised.
    """

    def __init__(self, ranks: Ranks, key: str) -> None:
        self.ranks = ranks
        self.key = key
        self._rows: list[list[tuple[int, Summary]]] = []

    def take(self, chunk: Chunk, summaries: Sequence[Summary]) -> None:
        """Take the summaries of a chunk, one for each loss, without their graph."""
        self._rows = self._rows or [[] for _ in summaries]
        for row, part in zip(self._rows, summaries, strict=True):
            row.append((chunk.index, part.detach()))
            if len(row) > 1 and not concatenates(part):
                (_, last), (first, before) = row.pop(), row.pop()
                row.append((first, before + last))

    def whole(self) -> list[Summary]:
        """Return the summaries of the whole batch."""
        if self.ranks.alone:
            return [reduce(add, [part for _, part in row]) for row in self._rows]
        return [self._summed(f"{self.key}/{n}", row) for n, row in enumerate(self._rows)]

    def _summed(self, key: str, own: list[tuple[int, Summary]]) -> Summary:
        """Return the sum of the parts of all ranks, in the order of their numbers."""
        packed = [pack(index, part) for index, part in own]
        world, kind = self.ranks.world, type(own[0][1])
        everyone = self.ranks.forms(key, [form for form, _ in packed])
        counts = [sum(form.size for form in theirs) for theirs in everyone]
        flat = packed[0][1] if len(packed) == 1 else torch.cat([flat for _, flat in packed])
        flats = world.gather(flat, counts)
        parts: dict[int, Summary] = {}
        for theirs, flat in zip(everyone, flats, strict=True):
            for form, piece in zip(theirs, flat.split([f.size for f in theirs]), strict=True):
                parts[form.index] = unpack(kind, form, piece).to(world.device)
        return reduce(add, [parts[index] for index in sorted(parts)])


def concatenates(summary: Summary) -> bool:
    """Whether the order of addition decides what a sum of such summaries is."""
    return type(summary).share is not Summary.share


class _RunningMeans:
    """The running means of batch norms in a step.

    Args:
        networks: Whose.
        count: Chunks of the batch.
    """

    def __init__(self, networks: Iterable[nn.Module | None], count: int) -> None:
        norms: dict[int, _BatchNorm] = {}
        for network in networks:
            for module in [] if network is None else network.modules():
                if not isinstance(module, _BatchNorm) or not module.training:
                    continue
                if module.running_mean is not None:
                    norms[id(module)] = module
        self.norms = list(norms.values())
        self.count = count
        self.before = [[b.clone() for b in _buffers(norm)] for norm in self.norms]
        self.sums = [[torch.zeros_like(b) for b in rows[:2]] for rows in self.before]
        self.passes: list[Tensor] = [rows[2] * 0 for rows in self.before]

    @property
    def parts(self) -> list[Tensor]:
        """What is summed over ranks."""
        return [part for rows in self.sums for part in rows]

    @contextmanager
    def moved(self, index: int) -> Iterator[None]:
        """Take what a chunk's passes make of running means of zero."""
        for norm, before in zip(self.norms, self.before, strict=True):
            mean, variance, number = _buffers(norm)
            mean.zero_(), variance.zero_(), number.copy_(before[2])
        yield
        for place, (norm, before) in enumerate(zip(self.norms, self.before, strict=True)):
            mean, variance, number = _buffers(norm)
            passes = number - before[2]
            fade = _faded(norm, passes * (self.count - 1 - index))
            for total, own in zip(self.sums[place], (mean, variance), strict=True):
                total.add_(own * fade)
            self.passes[place] = passes

    def settle(self) -> None:
        """Give the norms what all chunks have made of their running means."""
        for norm, before, sums, passes in zip(
            self.norms, self.before, self.sums, self.passes, strict=True
        ):
            mean, variance, number = _buffers(norm)
            fade = _faded(norm, passes * self.count)
            mean.copy_(before[0] * fade + sums[0])
            variance.copy_(before[1] * fade + sums[1])
            number.copy_(before[2] + passes * self.count)


def _buffers(norm: _BatchNorm) -> tuple[Tensor, Tensor, Tensor]:
    mean, variance, number = norm.running_mean, norm.running_var, norm.num_batches_tracked
    assert mean is not None and variance is not None and number is not None
    return mean, variance, number


def _faded(norm: _BatchNorm, passes: Tensor) -> Tensor:
    """Return how much of running means is left after a number of passes."""
    if norm.momentum is None:
        raise Incompatible(
            "a batch norm with momentum=None takes a plain mean over all passes, which processes "
            "cannot share; train it in one process"
        )
    wide = passes.to(widest(passes.device))
    return torch.pow(1 - norm.momentum, wide)
