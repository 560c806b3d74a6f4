"""The digest of weights: what it is made of, and that it tells weights apart."""

from __future__ import annotations

import hashlib
import struct

import pytest
import torch

from gentk.digest import state_digest


def test_it_is_blake2b_of_labels_and_bytes():
    """Against the same hash of bytes laid out by hand, for each of the labels in use."""
    tensors = {"a": torch.tensor([[1.0, 2.0]]), "b": torch.tensor(7)}
    floats, whole = struct.pack("<2f", 1.0, 2.0), struct.pack("<q", 7)
    plain = b"a torch.float32 (1, 2)\n" + floats + b"b torch.int64 ()\n" + whole
    short = b"head" + b"a (1, 2)" + floats + b"b ()" + whole

    assert state_digest(tensors.items()) == hashlib.blake2b(plain, digest_size=16).hexdigest()
    found = state_digest(tensors.items(), head="head", label="{name} {shape}")
    assert found == hashlib.blake2b(short, digest_size=16).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        {"a": torch.zeros(2, 3), "c": torch.ones(2)},
        {"b": torch.ones(2), "a": torch.zeros(2, 3)},
        {"a": torch.zeros(3, 2), "b": torch.ones(2)},
        {"a": torch.zeros(2, 3).int(), "b": torch.ones(2)},
        {"a": torch.zeros(2, 3), "b": torch.tensor([1.0, 1.0 + 2**-23])},
    ],
    ids=["name", "order", "shape", "type", "last bit"],
)
def test_whatever_differs_changes_it(other):
    """Names, their order, shapes, types and the last bit of a value all count."""
    tensors = {"a": torch.zeros(2, 3), "b": torch.ones(2)}

    assert state_digest(tensors.items()) != state_digest(other.items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.bool, torch.int64])
def test_memory_layout_does_not_count(dtype):
    """Values in another order in memory, of any type, have the digest of the same values."""
    rows = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    turned = rows.T.contiguous().T

    assert not turned.is_contiguous()
    assert state_digest({"x": turned}.items()) == state_digest({"x": rows}.items())
