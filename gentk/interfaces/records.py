"""Records: images that are known but not yet decoded, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from PIL import Image

__all__ = ["PackedRecords", "Records", "Report"]


@dataclass(frozen=True)
class Report:
    """What a source says of its data, so that nothing is left out, guessed or overridden in silence.

    Attributes:
        splits: Images of each split that the data have, by its name, as far as it is known.
        notes: Sentences, without a full stop, that people should read: `2 .txt files are left out`.
    """

    splits: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Records(Protocol):
    """A sequence of images with their labels, decoded one at a time.

    Classes belong to the data, not to a split: an index means the same class in each of them, and
    `classes` names those of all splits.

    Attributes:
        labels: One class index per image, -1 for none; or None.
        classes: The names of the classes, or None.
    """

    labels: list[int] | None
    classes: list[str] | None

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def decode(self, index: int) -> Image.Image:
        """Return image `index`; raise `OSError` or `ValueError` if its bytes are damaged."""
        ...

    def name(self, index: int) -> str:
        """Return what to call image `index` in a message: a path, a row."""
        ...


@runtime_checkable
class PackedRecords(Records, Protocol):
    """Records that lie where none can be read by itself: row groups of columns, compressed archives.

    As they are they may be decoded once, in ascending order. What `unpacked` returns may have a `place`,
    the folder that images were unpacked to.
    """

    def unpacked(
        self, memory: int, *, again: bool, advance: Callable[[int], None] | None = None
    ) -> Records:
        """Return the same records, to be decoded as said; these themselves where they do for that.

        Args:
            memory: The bytes of encoded images that may be held in memory.
            again: Whether records will be decoded more than once and in any order, rather than once
                and in ascending order.
            advance: Called with the number of records unpacked.
        """
        ...
