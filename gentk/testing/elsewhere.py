"""Elsewhere: steps on torch's `meta` device, where tensors have shapes and no values.

What runs there reads no value and uses no tensor of the CPU. On CUDA the one would wait for the device,
and the other be an error, or a wait too. No such device is needed to see it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any
from unittest import SkipTest

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from ..engine.world import World, acting_as
from ..transfer import to_device
from .watch import forbidden

__all__ = ["META", "Elsewhere", "elsewhere", "imagined"]

META = torch.device("meta")

aten = torch.ops.aten

COPIES = (aten._to_copy.default, aten.copy_.default)

NUMBERS: tuple[tuple[Any, str, str], ...] = (
    (torch, "tensor", "torch.tensor"),
    (torch, "as_tensor", "torch.as_tensor"),
    (torch.Tensor, "new_tensor", ".new_tensor"),
)
"""What puts numbers of the host on a device past every mode: owner, attribute, what to call it."""

ADVICE = (
    "make tensors on the device of what you are given (device=x.device, x.new_zeros, torch.full), and "
    "read no values"
)


def elsewhere(step: Callable[[], object]) -> list[Tensor]:
    """Take a step twice on the meta device, and return what of the host entered the second one.

    What is made once, in the first step, is no step's.

    Args:
        step: Of tensors that are there already.

    Returns:
        The tensors of the CPU that `gentk.transfer.to_device` has moved, in order.

    Raises:
        SkipTest: A value is read with `.item()`, which a check of its own tells.
        AssertionError: A tensor of the CPU is used or moved, or a value is read in another way.
    """
    with _in_words():
        step()
    with _in_words(), Elsewhere() as mode:
        step()
    return mode.entered


@contextmanager
def imagined() -> Iterator[None]:
    """Compose and prepare on the meta device; values that are read before a step are made up.

    Numbers are 1 and flags true; tensors that are fetched are of N(0, 1), the same at every call.
    """
    with acting_as(World(META)), _Imagined():  # type: ignore[no-untyped-call]
        yield


class Elsewhere(TorchDispatchMode):
    """Refuses operations of several devices, and copies to the meta device but by `to_device`.

    Attributes:
        entered: The tensors that `to_device` has moved, in order.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entered: list[Tensor] = []

    def __enter__(self) -> Elsewhere:
        """Look at numbers that become tensors, too, which no mode sees."""
        self._numbers = forbidden(NUMBERS, _put_there)
        self._calls = self._numbers.__enter__()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *fault: Any) -> None:
        super().__exit__(*fault)  # type: ignore[no-untyped-call]
        self._numbers.__exit__(*fault)
        if self._calls and fault[0] is None:
            raise AssertionError(
                f"it makes numbers of the host into tensors of the device ({', '.join(self._calls)}); "
                f"{ADVICE}"
            )

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = _tensors((args, kwargs))
        copied = func in COPIES
        # A single number of the CPU goes along with a kernel's arguments: every device takes it.
        strays = [x for x in given if x.device.type == "cpu" and (x.dim() or copied)]
        if not strays or not any(x.device == META for x in (*given, *_tensors(result))):
            return result
        if not copied:
            raise AssertionError(f"{func} is given a tensor of the CPU; {ADVICE}")
        if not _in_call_of(to_device):
            raise AssertionError(
                f"a tensor of the CPU, {tuple(strays[0].shape)}, is copied to the device; {ADVICE}; "
                "what data give to a step is moved by gentk.transfer.to_device"
            )
        self.entered += strays
        return result


class _Imagined(TorchDispatchMode):
    """Makes up values where the meta device has none."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        fetched = func is aten._to_copy.default and kwargs.get("device", META) != META
        if fetched or func is aten._local_scalar_dense.default:
            args = tuple(map(_filled, args))
        try:
            return func(*args, **kwargs)
        except (NotImplementedError, RuntimeError):
            if not any(x.device == META for x in _tensors((args, kwargs))):
                raise
            own, named = tree_map(_filled, (args, dict(kwargs)))
            return tree_map(_emptied, func(*own, **named))


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn what the meta device says into a sentence."""
    try:
        yield
    except (NotImplementedError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())
        if "item() cannot be called on meta" in reason:
            raise SkipTest("it reads a value, which the check of waiting tells") from error
        if "cpu" in reason and "meta" in reason:
            # Which device stands in for another one is no business of the author's.
            raise AssertionError(
                "it makes a tensor on the CPU, as torch.randn(n) does, and computes with it and with "
                f"those that it is given, which are on another device; {ADVICE}"
            ) from error
        raise AssertionError(
            f"with tensors on another device it ends in: {reason[:200]}; {ADVICE}"
        ) from error


def _put_there(result: Tensor, *arguments: Any) -> bool:
    """Say whether a call has put numbers on the device; a tensor that it was given is another's."""
    return result.device == META and not isinstance(arguments[-1], Tensor)


def _tensors(tree: Any) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


def _filled(value: Any) -> Any:
    """Return a tensor of the meta device with values, of the CPU; others as they are."""
    if not isinstance(value, Tensor) or value.device != META:
        return value
    if not value.is_floating_point():
        return torch.ones(value.shape, dtype=value.dtype, device="cpu")
    if not value.dim():
        return torch.ones((), dtype=value.dtype, device="cpu")
    draw = torch.Generator().manual_seed(0)
    return torch.randn(value.shape, generator=draw, device="cpu").to(value.dtype)


def _emptied(value: Any) -> Any:
    """Return a tensor without its values, on the meta device."""
    return value.to(META) if isinstance(value, Tensor) else value


def _in_call_of(function: Callable[..., Any]) -> bool:
    """Say whether this is called by a function, however far down."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not function.__code__:
        frame = frame.f_back
    return frame is not None
