"""Watching: calls that a step must not make, caught as they are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["GRADIENTS", "WAITS", "forbidden"]

WAITS: tuple[tuple[Any, str, str], ...] = (
    (torch.Tensor, "item", ".item()"),
    (torch.Tensor, "numpy", ".numpy()"),
    (torch.Tensor, "__float__", "float(tensor)"),
    (torch.Tensor, "__bool__", "a condition on a tensor"),
)
"""What waits for the device: class, attribute, what to call it."""

GRADIENTS: tuple[tuple[Any, str, str], ...] = (
    (torch.Tensor, "backward", ".backward()"),
    (torch.autograd, "backward", "torch.autograd.backward"),
    (torch.optim.Optimizer, "__init__", "an optimiser"),
    (torch.optim.Optimizer, "step", "optimizer.step()"),
)
"""What is the engine's to do."""


@contextmanager
def forbidden(calls: tuple[tuple[Any, str, str], ...]) -> Iterator[list[str]]:
    """Note which of these calls are made; they are carried out all the same."""
    made: list[str] = []
    kept = [(owner, name, vars(owner).get(name), getattr(owner, name)) for owner, name, _ in calls]

    def noted(call: Any, label: str) -> Any:
        def noting(*arguments: Any, **options: Any) -> Any:
            if label not in made:
                made.append(label)
            return call(*arguments, **options)

        return noting

    for (owner, name, label), (_, _, _, call) in zip(calls, kept, strict=True):
        setattr(owner, name, noted(call, label))
    try:
        yield made
    finally:
        for owner, name, own, _ in kept:
            if own is None:
                delattr(owner, name)
            else:
                setattr(owner, name, own)
