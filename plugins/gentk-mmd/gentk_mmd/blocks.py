"""Blocks: the kernel matrix of two sets, or of one with itself, in parts that fit in memory.

The matrix of a set with itself is symmetric, so only what lies on and above its diagonal is made:

    a strip = rows start..stop, columns start..n = a square on the diagonal | the rest to its right

and what lies right of the square stands for its mirror image, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Strip", "spans", "triangle"]


def spans(count: int, height: int) -> list[tuple[int, int]]:
    """Return the first row and the row after the last of each block of at most `height` rows."""
    return [(start, min(start + height, count)) for start in range(0, count, height)]


@dataclass(frozen=True)
class Strip:
    """A block of rows of a symmetric matrix, from the diagonal to the right.

    Attributes:
        start: The first row, and the first column.
        stop: The row after the last; columns go on to the end.
    """

    start: int
    stop: int

    @property
    def side(self) -> int:
        """The side of the square on the diagonal."""
        return self.stop - self.start

    @property
    def rows(self) -> slice:
        """The samples that the rows belong to."""
        return slice(self.start, self.stop)

    @property
    def columns(self) -> slice:
        """The samples that the columns belong to."""
        return slice(self.start, None)

    @property
    def mirrored(self) -> slice:
        """The samples right of the square, whose own rows get their share from the mirror image."""
        return slice(self.stop, None)

    def square(self, values: Tensor) -> Tensor:
        """Return the square's part of values of the strip, (any rows of it, columns)."""
        return values[:, : self.side]

    def right(self, values: Tensor) -> Tensor:
        """Return the part right of the square; of width 0 in the last strip."""
        return values[:, self.side :]


def triangle(count: int, height: int) -> Iterator[Strip]:
    """Yield the strips that a set of `count` samples has with itself, at most `height` rows each."""
    return (Strip(start, stop) for start, stop in spans(count, height))
