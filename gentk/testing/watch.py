"""Watching: calls that a step must not make, caught as they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["GRADIENTS", "forbidden", "waits"]

WAITS: tuple[tuple[Any, str, str], ...] = (
    (torch.Tensor, "item", ".item()"),
    (torch.Tensor, "numpy", ".numpy()"),
    (torch.Tensor, "__float__", "float(tensor)"),
    (torch.Tensor, "__bool__", "a condition on a tensor"),
)
"""What waits for the device: class, attribute, what to call it."""

aten = torch.ops.aten

READING: dict[Any, str] = {
    aten._local_scalar_dense.default: "a value that is read, an index perhaps",
    aten.equal.default: "torch.equal",
    aten.nonzero.default: "torch.nonzero",
    aten.masked_select.default: "torch.masked_select",
    aten._unique2.default: "torch.unique",
    aten.bincount.default: "torch.bincount",
}
"""Operations whose result, or its size, is read off the device -> what to call them."""

GRADIENTS: tuple[tuple[Any, str, str], ...] = (
    (torch.Tensor, "backward", ".backward()"),
    (torch.autograd, "backward", "torch.autograd.backward"),
    (torch.optim.Optimizer, "__init__", "an optimiser"),
    (torch.optim.Optimizer, "step", "optimizer.step()"),
)
"""What is the engine's to do."""


@contextmanager
def forbidden(
    calls: tuple[tuple[Any, str, str], ...],
    counts: Callable[..., bool] = lambda result, *arguments: True,
) -> Iterator[list[str]]:
    """Note which of these calls are made; they are carried out all the same.

    Args:
        calls: Class or module, attribute, what to call it.
        counts: Whether a call with such a result, of such arguments, is noted.
    """
    labels: list[str] = []
    kept = [(owner, name, vars(owner).get(name), getattr(owner, name)) for owner, name, _ in calls]

    def noted(call: Any, label: str) -> Any:
        def noting(*arguments: Any, **options: Any) -> Any:
            result = call(*arguments, **options)
            if label not in labels and counts(result, *arguments):
                labels.append(label)
            return result

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
def waits() -> Iterator[list[str]]:
    """Note what would make a step wait for a device; the list is complete when the context ends."""
    with forbidden(WAITS) as calls, _Reading() as reading:
        yield calls
    # An operation is told where no call that people write has led to it.
    calls += [] if calls else reading.labels


class _Reading(TorchDispatchMode):
    """Notes operations that read values."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.labels: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        label = READING.get(func)
        if func is aten.index.Tensor and any(_is_mask(index) for index in args[1]):
            label = "an index of true and false"
        if label is not None and label not in self.labels:
            self.labels.append(label)
        return func(*args, **(kwargs or {}))


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)
