"""Fixtures of the data tests: sources made of what a test hands over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from gentk.data import Records, read_image
from gentk.interfaces import Source

Stored = Image.Image | bytes
MakeSource = Callable[..., Source]


class ListRecords:
    """Images, or encoded bytes, in a list."""

    def __init__(self, images: Sequence[Stored], labels: list[int] | None) -> None:
        self._images = images
        self.labels = labels
        self.classes: list[str] | None = None

    def __len__(self) -> int:
        return len(self._images)

    def decode(self, index: int) -> Image.Image:
        image = self._images[index]
        return read_image(image) if isinstance(image, bytes) else image

    def name(self, index: int) -> str:
        return f"item {index}"


class ListSource(Source):
    """The same list as train and as test images."""

    def __init__(self, images: Sequence[Stored], labels: list[int] | None = None) -> None:
        self._records = ListRecords(images, labels)

    def records(self, split: Literal["train", "test"]) -> Records:
        return self._records


@pytest.fixture
def make_source() -> MakeSource:
    """Return a function that makes a source of a list of images or encoded bytes."""
    return ListSource


@pytest.fixture
def noise() -> Callable[..., Image.Image]:
    """Return a function that makes an image of seeded noise: (seed, width, height, mode)."""

    def make(seed: int, width: int = 8, height: int = 8, mode: str = "RGB") -> Image.Image:
        shape = (height, width, 3) if mode == "RGB" else (height, width)
        values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        return Image.fromarray(values)

    return make


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Return a function that encodes an image."""

    def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
        file = BytesIO()
        image.save(file, kind)
        return file.getvalue()

    return encoded
