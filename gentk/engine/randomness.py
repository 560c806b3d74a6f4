"""Randomness: the global random state, kept, put back, and lent out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["derive", "get_state", "lent", "set_state"]


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


@contextmanager
def lent(device: torch.device, seed: int | None = None) -> Iterator[None]:
    """Let the body use randomness without moving the run's; from `seed` if one is given."""
    kept = get_state(device)
    try:
        if seed is not None:
            torch.manual_seed(seed)
        yield
    finally:
        set_state(kept, device)
