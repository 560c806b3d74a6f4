"""Randomness: the global random state, kept, put back, lent out; and one for each value of a step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor

__all__ = ["Draws", "derive", "get_state", "lent", "set_seed", "set_state"]


def derive(seed: int, use: str) -> int:
    """Return the seed of one use of a run's seed: uses do not share their random numbers."""
    digest = hashlib.blake2b(f"{use} {seed}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def get_state(device: torch.device) -> dict[str, Tensor]:
    """Return the random state of the CPU and, where it has one of its own, of the device."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Put back what `get_state` returned."""
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"].cpu())


def set_seed(seed: int, device: torch.device) -> None:
    """Begin the random numbers of the CPU and of the device anew.

    `torch.manual_seed` does so for every device there is, and for those not in use at a cost that is a
    part of a small step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def lent(device: torch.device, seed: int | None = None) -> Iterator[None]:
    """Let the body use randomness without moving the run's; from `seed` if one is given."""
    kept = get_state(device)
    try:
        if seed is not None:
            set_seed(seed, device)
        yield
    finally:
        set_state(kept, device)


class Draws:
    """A random state for each value of each step, so that the order of making them decides nothing.

    The state of a value follows from the seed, the number of the step, the value's name and, where a
    batch is made in chunks, the chunk: it is the same whatever was made before, here or elsewhere. The
    global random state is as before when a value is made. Nothing waits for the device.

    A checkpoint keeps the number of the step; one that was written before there was any goes on at 0.

    Args:
        seed: Of the run.
        device: Where values are made.
    """

    may_be_absent = True

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.device = device
        self.steps = 0

    def advance(self) -> None:
        """Begin the next step: of any phase, all steps have a number of their own."""
        self.steps += 1

    def of(self, value: str, chunk: int | None = None) -> AbstractContextManager[None]:
        """Return a context with the random state of a value, of a chunk or of the whole batch."""
        place = "" if chunk is None else f" {chunk}"
        return lent(self.device, derive(self.seed, f"draw {value}{place} of {self.steps}"))

    def state_dict(self) -> dict[str, int]:
        """Return the number of the step."""
        return {"steps": self.steps}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on at the step that `state` was taken at."""
        self.steps = int(state["steps"])
