"""Nearest neighbours, block by block.

    |x - y|^2 = |x|^2 + |y|^2 - 2 <x, y>

about a common centre. What is within rounding of zero is zero, so that copies are found to be copies:
a radius of 0 around a repeated image still holds the image itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["Points", "radii", "rows_of"]

BLOCK = 2**24
"""Distances that are worked on at a time."""

ROUNDING = 16
"""Multiples of the type's precision, of |x|^2 + |y|^2, that a squared distance is not told from 0."""


class Points:
    """Points about a centre, with their squares.

    Args:
        rows: (N, D); float64 is computed in float64, anything else in float32.
        centre: (D,).
    """

    def __init__(self, rows: Tensor, centre: Tensor) -> None:
        wide = rows if rows.dtype == torch.float64 else rows.float()
        self.rows = wide - centre.to(wide.dtype)
        self.squares = self.rows.square().sum(1)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.rows)


def rows_of(points: Points, others: Points) -> Iterator[tuple[int, Tensor]]:
    """Yield squared distances of all others from some points at a time: (first index, (n, M))."""
    height = max(1, BLOCK // len(others))
    precision = torch.finfo(points.rows.dtype).eps * ROUNDING
    for start in range(0, len(points), height):
        part = points.rows[start : start + height]
        scale = points.squares[start : start + height, None] + others.squares
        distances = torch.addmm(scale, part, others.rows.T, alpha=-2)
        yield start, distances.masked_fill_(distances <= scale.mul_(precision), 0)


def radii(points: Points, others: Points, k: int) -> Tensor:
    """Return the squared distance of each point to the k-th nearest of others, (N,).

    A point is its own nearest neighbour where `others` is `points`: it is passed over.
    """
    own = others is points
    radii = []
    for start, distances in rows_of(points, others):
        if own:
            distances.diagonal(start).fill_(torch.inf)
        radii.append(distances.kthvalue(k, dim=1).values if k > 1 else distances.amin(1))
    return torch.cat(radii)
