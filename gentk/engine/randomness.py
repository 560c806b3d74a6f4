"""Randomness: the global random state, kept, put back, and lent out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["get_state", "lent", "set_state"]


def get_state(device: torch.device) -> dict[str, Tensor]:
    """Return the random state of the CPU and, on CUDA, of the device."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Put back what `get_state` returned."""
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)


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
