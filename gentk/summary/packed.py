"""Packed: a summary as bytes, for whoever sends it to another process."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..interfaces.summary import Summary

__all__ = ["Form", "pack", "unpack"]

Rows = tuple[tuple[str, tuple[int, ...], torch.dtype], ...]
"""Name, shape and type of each of some tensors."""

ALIGNED = 16
"""Bytes: no type of torch is larger."""


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
    rows: Rows
    fields: Mapping[str, Any]
    size: int


def pack(index: int, summary: Summary) -> tuple[Form, Tensor]:
    """Return a summary as bytes, (n,) uint8."""
    tensors, fields = summary.store()
    rows = tuple((name, tuple(t.shape), t.dtype) for name, t in tensors.items())
    places, size = _places(rows)
    flat = torch.empty(size, dtype=torch.uint8, device=next(iter(tensors.values())).device)
    for place, tensor in zip(_views(flat, rows, places), tensors.values(), strict=True):
        place.copy_(tensor)
    return Form(index, rows, fields, size), flat


def unpack(kind: type[Summary], form: Form, flat: Tensor) -> Summary:
    """Return the summary that was sent as bytes, whose memory it goes on using."""
    places, _ = _places(form.rows)
    views = _views(flat, form.rows, places)
    tensors = {name: view for (name, _, _), view in zip(form.rows, views, strict=True)}
    return kind.restore(tensors, form.fields)


def _places(rows: Rows) -> tuple[list[int], int]:
    """Return where each tensor begins, at a place where numbers may lie, and how many bytes all take."""
    places, end = [], 0
    for _, shape, dtype in rows:
        places.append(end)
        end += -(-dtype.itemsize * math.prod(shape) // ALIGNED) * ALIGNED
    return places, end


def _views(flat: Tensor, rows: Rows, places: Sequence[int]) -> list[Tensor]:
    """Return the tensors that lie in bytes."""
    return [
        flat[start : start + dtype.itemsize * math.prod(shape)].view(dtype).view(shape)
        for start, (_, shape, dtype) in zip(places, rows, strict=True)
    ]
