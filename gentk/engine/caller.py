"""The caller: settings of the whole process are after a call as they were before it."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import numpy as np
import torch

from . import randomness

__all__ = ["undisturbed", "undisturbed_steps"]

T = TypeVar("T")

CPU = torch.device("cpu")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Compute under torch's own settings, and give the caller's back at the end.

    The random states (torch's on every device, NumPy's, Python's), the number of threads, the default
    dtype and device, grad and inference mode, and autocast are after the block what they were before it.
    Within it the default dtype is float32, the default device the CPU, gradients are on, autocast is
    off: what a call computes does not depend on what the caller has set. As `@undisturbed()` it does so
    for a function.
    """
    with ExitStack() as stack:
        stack.enter_context(_random_state())
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
        if torch.get_default_device() != CPU:
            stack.enter_context(CPU)
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(torch.enable_grad())
        yield


def undisturbed_steps(steps: Iterator[T]) -> Iterator[T]:
    """Yield what an iterator does, each step undisturbed; random numbers go on from step to step."""
    own = None
    while True:
        with undisturbed():
            if own is not None:
                torch.set_rng_state(own)
            try:
                step = next(steps)
            except StopIteration:
                return
            own = torch.get_rng_state()
        yield step


@contextmanager
def _random_state() -> Iterator[None]:
    """Put back all random states at the end."""
    python, numpy = random.getstate(), np.random.get_state()
    seed, initialised = torch.initial_seed(), torch.cuda.is_initialized()
    with ExitStack() as stack:
        for device in _devices():
            stack.callback(randomness.set_state, randomness.get_state(device), device)
        try:
            yield
        finally:
            if torch.cuda.is_initialized() and not initialised:
                # What its states would be had the caller been the first to use it.
                torch.cuda.manual_seed_all(seed)
            np.random.set_state(numpy)
            random.setstate(python)


def _devices() -> list[torch.device]:
    """Return the devices that have a random state by now."""
    devices = [CPU]
    if torch.cuda.is_initialized():
        devices += [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    elif sys.platform == "darwin" and torch.backends.mps.is_available():
        devices.append(torch.device("mps"))
    return devices
