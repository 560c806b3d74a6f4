"""Processes: the link of a world whose ranks are processes, by torch.distributed.

Gloo on the CPU and for words between hosts, NCCL for tensors on CUDA. A process that ends is noticed by
those that wait for it, and the first one that fails is the one that says so.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, ProcessGroup
from torch.distributed.rendezvous import rendezvous

from ..errors import PeerLost, RunError
from ..launch import launched

__all__ = ["Processes", "connect"]

VARIABLE = "GENTK_PEER_TIMEOUT"
PATIENCE = 1800.0
"""Seconds that a process waits for another: rank 0 may be judging what it has trained."""

SPOKEN = "gentk/spoken"


@cache
def connect(device: torch.device) -> Processes:
    """Return the link to the processes that were started beside this one; made once.

    Raises:
        RunError: They cannot be reached.
    """
    return Processes(device)


def speaks() -> bool:
    """Whether this process, which fails, is the one to say so; rank 0 where there is no link yet."""
    return _links[0].speak() if _links else launched().rank == 0


_links: list[Processes] = []


class Processes:
    """The link of processes, which ends with the program.

    Args:
        device: Where this one computes.
    """

    words: ProcessGroup

    def __init__(self, device: torch.device) -> None:
        self.size = launched().size
        self._waiting = False
        patience = timedelta(seconds=_patience())
        try:
            meeting = rendezvous("env://", launched().rank, self.size, timeout=patience)
            self.store, rank, size = next(iter(meeting))
            self.store.set_timeout(patience)
            backend = "cuda:nccl,cpu:gloo" if device.type == "cuda" else "gloo"
            if device.type == "cuda":
                torch.cuda.set_device(device)
            if not dist.is_initialized():
                dist.init_process_group(
                    backend,
                    store=PrefixStore("gentk", self.store),
                    rank=rank,
                    world_size=size,
                    timeout=patience,
                )
            words = dist.new_group(backend="gloo", timeout=patience)
            assert isinstance(words, ProcessGroup)
            self.words = words
            _links.append(self)
            atexit.register(self.end)
        except (RuntimeError, ValueError) as error:
            raise RunError(
                f"the {self.size} processes of this run do not reach each other "
                f"({' '.join(str(error).split())[:200]}); look at MASTER_ADDR and MASTER_PORT, and "
                "start all of them"
            ) from error

    def add(self, flat: Tensor) -> None:
        """Replace a tensor by its sum over ranks."""
        with self._heard():
            dist.all_reduce(flat)

    def collect(self, flat: Tensor) -> list[Tensor]:
        """Return the tensors of all ranks."""
        everyone = [torch.empty_like(flat) for _ in range(self.size)]
        with self._heard():
            dist.all_gather(everyone, flat)
        return everyone

    def tell(self, value: Any) -> list[Any]:
        """Return the values of all ranks."""
        values: list[Any] = [None] * self.size
        with self._heard():
            dist.all_gather_object(values, value, group=self.words)
        return values

    def count(self, numbers: Sequence[float]) -> list[list[float]]:
        """Return the numbers of all ranks."""
        own = torch.tensor(list(numbers), dtype=torch.float64)
        everyone = [torch.empty_like(own) for _ in range(self.size)]
        with self._heard():
            dist.all_gather(everyone, own, group=self.words)
        return [theirs.tolist() for theirs in everyone]

    def speak(self) -> bool:
        """Whether this process is the first to fail."""
        mine = str(os.getpid())
        try:
            return bool(self.store.compare_set(SPOKEN, "", mine).decode() == mine)
        except (RuntimeError, ValueError):
            # The store went with the process that held it.
            return True

    def end(self) -> None:
        """Have the threads of the link end, before the interpreter does.

        One that lets go of its last tensor while Python ends aborts the process. Where an exchange was
        interrupted, a thread waits for its peers still, and is left.
        """
        if not self._waiting and dist.is_initialized():
            del self.words
            dist.destroy_process_group()

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Say in one sentence that another process is gone."""
        self._waiting = True
        try:
            yield
        except RuntimeError as error:
            self._waiting = False
            raise PeerLost(
                f"another of the {self.size} processes has ended, or did not answer for "
                f"{_patience():g} seconds"
            ) from error
        self._waiting = False


def _patience() -> float:
    try:
        return float(os.environ.get(VARIABLE, ""))
    except ValueError:
        return PATIENCE
