"""Records: images that are known but not yet decoded."""

from __future__ import annotations

from typing import Protocol

from PIL import Image

__all__ = ["Records"]


class Records(Protocol):
    """A sequence of images with their labels, decoded one at a time.

    Attributes:
        labels: One class index per image, or None.
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
