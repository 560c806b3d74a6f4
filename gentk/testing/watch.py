"""Watching: calls that a step must not make, caught as they are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import SkipTest

import torch

__all__ = ["GRADIENTS", "WAITS", "elsewhere", "forbidden"]

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
    labels: list[str] = []
    kept = [(owner, name, vars(owner).get(name), getattr(owner, name)) for owner, name, _ in calls]

    def noted(call: Any, label: str) -> Any:
        def noting(*arguments: Any, **options: Any) -> Any:
            if label not in labels:
                labels.append(label)
            return call(*arguments, **options)

        return noting

    for (owner, name, label), (_, _, _, call) in zip(calls, kept, strict=True):
        setattr(owner, name, noted(call, label))
    try:
        yield labels
    finally:
        for owner, name, own, _ in kept:
            if own is None:
                delattr(owner, name)
            else:
                setattr(owner, name, own)


@contextmanager
def elsewhere() -> Iterator[None]:
    """Turn what fails on the `meta` device, where tensors have shapes and no values, into a sentence.

    Raises:
        SkipTest: A value is read with `.item()`, which a check of its own tells.
        AssertionError: A tensor was made on the CPU, or a value is read in another way.
    """
    try:
        yield
    except (RuntimeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        if "item() cannot be called on meta" in reason:
            raise SkipTest("it reads a value, which the check of waiting tells") from error
        raise AssertionError(
            f"with tensors on another device it ends in: {reason[:200]}; make tensors on the device "
            "of what you are given (device=x.device, x.new_zeros), and read no values"
        ) from error
