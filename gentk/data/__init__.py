"""Data: a source and a view give an image set, a sampler draws minibatches from it.

`open_images(source, name, view)` is the way in. Authors of sources return `Records`: for pixels in
memory there is `ArrayRecords`, for encoded files `read_image`.
"""

from __future__ import annotations

from ..interfaces import Records
from .arrays import ArrayRecords
from .imageset import ImageSet, to_unit
from .minibatches import Minibatches
from .open import open_images
from .picture import read_image
from .pixels import LazyPixels, MemoryPixels, Pixels
from .sampler import Sampler
from .view import View

__all__ = [
    "ArrayRecords",
    "ImageSet",
    "LazyPixels",
    "MemoryPixels",
    "Minibatches",
    "Pixels",
    "Records",
    "Sampler",
    "View",
    "open_images",
    "read_image",
    "to_unit",
]
