"""Tensors: sealed safetensors files, never pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from .files import replacing, seal_tensors
from .files.seal import BLANK, KEY

__all__ = ["save_tensors", "write_tensors"]


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Save and seal tensors under a name that nobody reads yet.

    Raises:
        OSError: It cannot be written.
        SafetensorError: The same.
    """
    save_file(dict(tensors), path, metadata={**(metadata or {}), KEY: BLANK})
    seal_tensors(path)


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write sealed tensors whole or not at all; raises as `save_tensors`."""
    with replacing(path) as part:
        save_tensors(part, tensors, metadata)
