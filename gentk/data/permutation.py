"""Permutations: shuffles that are the same on every machine and in every version."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["permutation"]


def permutation(count: int, *key: int) -> NDArray[np.int64]:
    """Return the permutation of 0, ..., `count` - 1 that belongs to `key`.

    It sorts raw 64-bit outputs of PCG64. NumPy keeps that stream the same for good (NEP 19), which
    it does not promise of `Generator.permutation`, nor torch of `randperm`: a recorded split must
    be the same split next year.

    Args:
        count: Number of elements.
        key: Non-negative integers; each key gives an independent permutation.
    """
    draws = np.random.PCG64(list(key)).random_raw(count)
    return np.argsort(draws, kind="stable").astype(np.int64, copy=False)
