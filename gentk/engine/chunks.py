"""Chunks: how a batch is cut into the parts that go through the networks one by one."""

from __future__ import annotations

__all__ = ["chunk_sizes"]


def chunk_sizes(batch: int, chunk: int) -> list[int]:
    """Split a batch into as few chunks of at most `chunk` as there can be, as even as can be.

    A last chunk of one sample would leave batch norm without a variance.
    """
    parts = -(-batch // chunk)
    least, larger = divmod(batch, parts)
    return [least + 1] * larger + [least] * (parts - larger)
