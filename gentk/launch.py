"""The launch: which of several processes this is, as torchrun and its like say in the environment.

No torch here: what is set for its threads has to be settled before it is imported.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

__all__ = ["Launched", "Threads", "launched", "settle", "threads"]

THREADS, WAITING = "OMP_NUM_THREADS", "OMP_WAIT_POLICY"


@dataclass(frozen=True)
class Threads:
    """How the threads of this process compute and wait.

    Attributes:
        count: How many there are; None for torch's own choice.
        waiting: `passive` or `active`; None for the library's own choice.
        why: What decided it, in a sentence.
    """

    count: int | None
    waiting: str | None
    why: str


def threads() -> Threads:
    """Return the threads that suit this process, and why.

    Several processes of one machine share its cores, and a thread that has nothing to do sleeps: one
    that spins takes the core that another process computes on.
    """
    cores = _cores()
    local = launched().local_size
    typed = os.environ.get(THREADS)
    if local == 1:
        shared = _busy() + cores > 1.5 * cores
        why = "one process" + (", on a machine that others use" if shared else "")
        return Threads(_number(THREADS, 0) or None, "passive" if shared else None, why)
    # torchrun sets 1 where nothing is set, and 1 is what it means then: nothing.
    if typed is not None and not (typed == "1" and "TORCHELASTIC_RUN_ID" in os.environ):
        return Threads(_number(THREADS, 1), "passive", f"{THREADS}={typed}")
    count = max(1, cores // local)
    return Threads(count, "passive", f"{cores} cores shared by {local} processes")


def settle() -> None:
    """Set how threads compute and wait, unless torch is there already or somebody has set it."""
    if "torch" in sys.modules:
        return
    chosen = threads()
    if chosen.count is not None:
        os.environ[THREADS] = str(chosen.count)
    if chosen.waiting is not None and WAITING not in os.environ:
        os.environ[WAITING] = chosen.waiting.upper()


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _busy() -> float:
    """Return how many processes have wanted a core in the last minute; 0 where nobody counts."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return 0.0


@dataclass(frozen=True)
class Launched:
    """Which of the processes this is that a launcher has started.

    Attributes:
        rank: Its number among all; 0 writes and prints.
        size: How many train together; 1 unless a launcher has started several.
        local_rank: Its number among those of this machine.
        local_size: How many of them are on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1


def launched() -> Launched:
    """Return what the environment says, in the variables that torchrun sets."""
    if not all(name in os.environ for name in ("RANK", "MASTER_ADDR", "MASTER_PORT")):
        return Launched()
    size = _number("WORLD_SIZE", 1)
    if size == 1:
        return Launched()
    local = _number("LOCAL_RANK", 0), _number("LOCAL_WORLD_SIZE", 1)
    return Launched(_number("RANK", 0), size, *local)


def _number(name: str, default: int) -> int:
    """Return a number of the environment."""
    try:
        return int(os.environ.get(name, ""))
    except ValueError:
        return default
