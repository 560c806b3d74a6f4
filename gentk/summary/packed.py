"""Packed: a summary as bytes, for whoever sends it to another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..interfaces.summary import Summary

__all__ = ["Form", "pack", "unpack"]


@dataclass(frozen=True)
class Form:
    """What is known beforehand of a summary that is sent.

    Attributes:
        index: Where it stands in the order of addition.
        rows: Name, shape and type of each tensor.
        fields: What else it is restored from.
        size: How many bytes it is.
    """

    index: int
    rows: tuple[tuple[str, tuple[int, ...], torch.dtype], ...]
    fields: Mapping[str, Any]
    size: int


def pack(index: int, summary: Summary) -> tuple[Form, Tensor]:
    """Return a summary as bytes, (n,) uint8."""
    tensors, fields = summary.store()
    flats = [t.contiguous().reshape(-1).view(torch.uint8) for t in tensors.values()]
    rows = tuple((name, tuple(t.shape), t.dtype) for name, t in tensors.items())
    flat = torch.cat(flats)
    return Form(index, rows, fields, len(flat)), flat


def unpack(kind: type[Summary], form: Form, flat: Tensor) -> Summary:
    """Return the summary that was sent as bytes."""
    tensors, start = {}, 0
    for name, shape, dtype in form.rows:
        size = dtype.itemsize * torch.Size(shape).numel()
        # A copy of its own lies where numbers of its type may.
        tensors[name] = flat[start : start + size].clone().view(dtype).view(shape)
        start += size
    return kind.restore(tensors, form.fields)
