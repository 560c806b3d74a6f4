"""Digests of weights: what fingerprints of networks are made of.

    digest = BLAKE2b-16(head, then for each tensor: label, bytes)

Fingerprints are keys of caches and stand in the records of runs, so what is hashed of a network never
changes: whoever hashed under another label or in another order keeps them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor

__all__ = ["LABEL", "state_digest"]

LABEL = "{name} {dtype} {shape}\n"
"""What is hashed of a tensor before its bytes."""


def state_digest(
    tensors: Iterable[tuple[str, Tensor]], *, head: str = "", label: str = LABEL
) -> str:
    """Return 32 hex digits that differ wherever names, types, shapes or values of tensors do.

    Args:
        tensors: Name and tensor, such as the items of a `state_dict`; their order counts.
        head: What else decides a network's outputs: its layers, its preparation.
        label: What is hashed before each tensor, a format string of its `name`, `dtype` and `shape`.
    """
    digest = hashlib.blake2b(head.encode(), digest_size=16)
    for name, tensor in tensors:
        digest.update(
            label.format(name=name, dtype=tensor.dtype, shape=tuple(tensor.shape)).encode()
        )
        digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
