"""Devices: where a run computes, and with how many threads."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import sys

import torch

from ..errors import UsageError

__all__ = [
    "check_device",
    "choose_device",
    "computes_bfloat16",
    "describe_devices",
    "keep_memory",
    "set_threads",
]

KNOWN = ("cpu", "cuda", "mps")

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def choose_device(name: str) -> torch.device:
    """Return the device of a name; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        UsageError: The name is unknown, or this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    check_device(name)
    device = torch.device(name)
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"device {name!r} cannot be used here; type --device cpu, cuda, cuda:N, mps or auto"
        ) from error
    return device


def check_device(name: str) -> None:
    """Refuse a name that is no device's, on this machine or another.

    Raises:
        UsageError: The name is unknown.
    """
    try:
        known = name == "auto" or torch.device(name).type in KNOWN
    except RuntimeError:
        known = False
    if not known:
        hint = f"did you mean 'cuda:{name}'? " if name.isdecimal() else ""
        raise UsageError(
            f"there is no device {name!r}; {hint}type --device cpu, cuda, cuda:N, mps or auto"
        )


def describe_devices() -> dict[str, str]:
    """Return the devices torch can use here: name -> what it is."""
    own = "" if computes_bfloat16(torch.device("cpu")) else "no "
    devices = {"cpu": f"{torch.get_num_threads()} threads, {own}arithmetic of bfloat16"}
    for index in range(torch.cuda.device_count()):
        devices[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    if torch.backends.mps.is_available():
        devices["mps"] = platform.processor() or "Apple"
    return devices


def computes_bfloat16(device: torch.device) -> bool:
    """Say whether a device multiplies bfloat16 itself: AVX512-BF16, AMX or Arm's BF16, CUDA from 8.0 on.

    Where it does not, torch converts to float32 and back, which takes longer than float32 alone.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return True
    if hasattr(torch.cpu, "get_capabilities"):
        able = torch.cpu.get_capabilities()
        return any(value is True for name, value in able.items() if "bf16" in name)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def keep_memory(device: torch.device) -> None:
    """Let the C library keep freed memory for the next step, which asks for the same blocks again.

    glibc gives large blocks back to the system at once and gets them page by page: on a CPU that is a
    tenth of a training step. Elsewhere this does nothing.
    """
    if device.type != "cpu" or not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            library.mallopt(parameter, 2**31 - 1)


def set_threads(count: int | None) -> None:
    """Limit torch to `count` CPU threads; None leaves its own choice."""
    if count is not None:
        torch.set_num_threads(count)
