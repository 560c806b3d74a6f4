"""Images: data opened by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from ..data.imageset import ImageSet
from ..data.open import open_images
from ..data.view import View
from ..families.shared import shared_options
from ..interfaces import Source
from ..registry import Registry
from ..selection import Selection

__all__ = ["data_name", "open_data", "test_split"]

Notice = Callable[[str], None]
Advance = Callable[[str, int, int], None]


def open_data(
    text: str,
    registry: Registry,
    notice: Notice = lambda message: None,
    advance: Advance | None = None,
) -> ImageSet:
    """Open images by name, telling what was left out, guessed or changed of them."""
    source, view = registry.build("data", text, shared=shared_options("data"))
    name = str(Selection.parse(text))
    images = open_images(cast(Source, source), name, View(**view), advance)
    for message in images.notes():
        notice(message)
    return images


def data_name(path: str, registry: Registry) -> str:
    """Return the name of the data that an existing file or folder holds: `npz:PATH`, `folder:PATH`."""
    return registry.reading("data", path) or str(Selection("folder", path))


def test_split(text: str) -> str:
    """Return the test split of data by name."""
    own = Selection.parse(text)
    kept = {k: v for k, v in own.options.items() if k not in ("split", "limit")}
    return str(replace(own, options={**kept, "split": "test"}))
