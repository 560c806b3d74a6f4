"""Opening: a source and a view become an image set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import DataError
from ..interfaces import ImageShape, Source
from .decoder import Decoder, UnexpectedColour
from .imageset import ImageSet
from .pixels import LazyPixels, MemoryPixels, Pixels, workers
from .view import View

__all__ = ["open_images"]

_PROBES: Final = 64  # images that are decoded to learn the shape and whether any is in colour
_BLOCK: Final = 256  # images that a thread decodes at a time


def open_images(source: Source, name: str, view: View | None = None) -> ImageSet:
    """Return the images that a view takes of a source, decoded by threads.

    Sets whose decoded images exceed `view.memory` are decoded when they are used.

    Args:
        source: Where the images come from.
        name: What the user calls the data.
        view: Split, size, channels and so on; None for the train images as they are.

    Raises:
        DataError: When there are no images, they differ in size or are not square and no `size` is
            given, or one is damaged and the view is strict.
    """
    view = view or View()
    records = source.records("test" if view.split == "test" else "train")
    try:
        chosen = view.select(len(records))
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    decoder = Decoder(records, view, name)
    probed = _probe(decoder, chosen)
    shape = _shape(probed, name)
    fitting = replace(decoder, shape=shape)
    pixels: Pixels
    if len(chosen) * int(np.prod(shape)) > view.memory * 2**30:
        pixels = LazyPixels(fitting, shape, chosen, probed)
    else:
        try:
            pixels = _hold(fitting, shape, chosen)
        except UnexpectedColour:
            shape = shape._replace(channels=3)
            pixels = _hold(replace(decoder, shape=shape), shape, chosen)
    labels = view.relabelled(records.labels, len(records))
    # Names are those of the source's own classes.
    classes = records.classes if labels is records.labels else None
    return ImageSet(pixels, name=name, view=view, labels=labels, classes=classes)


def _probe(decoder: Decoder, chosen: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    """Decode some images, evenly spaced; if these are all damaged, every one until one is not.

    Strictness is left to the pass over all images, which names the first damaged one.
    """
    lenient = replace(decoder, view=replace(decoder.view, strict=False))
    spread = np.unique(np.linspace(0, len(chosen) - 1, _PROBES).astype(np.int64))
    found = [array for index in chosen[spread] if (array := lenient(int(index))) is not None]
    if found:
        return found
    for index in chosen:
        if (array := lenient(int(index))) is not None:
            return [array]
    decoder(int(chosen[0]))  # says why, if strict
    raise DataError(
        f"{decoder.name}: none of its {len(chosen)} images can be decoded, the first is "
        f"{decoder.records.name(int(chosen[0]))}: check the files, or add strict=true to see why"
    )


def _shape(probed: list[NDArray[np.uint8]], name: str) -> ImageShape:
    """Return the shape that all images must have."""
    _, height, width = probed[0].shape
    if height != width:
        raise DataError(
            f"{name} has images of {width} x {height} pixels, and they must be square: add size=N "
            f"to resize them and keep the central N x N"
        )
    return ImageShape(max(array.shape[0] for array in probed), height, width)


def _hold(decoder: Decoder, shape: ImageShape, chosen: NDArray[np.int64]) -> MemoryPixels:
    """Decode all images into one tensor, without the damaged ones."""
    images = np.empty((len(chosen), *shape), dtype=np.uint8)
    good = np.ones(len(chosen), dtype=bool)

    def decode(start: int) -> None:
        for row in range(start, min(start + _BLOCK, len(chosen))):
            array = decoder(int(chosen[row]))
            if array is None:
                good[row] = False
            else:
                images[row] = array

    with ThreadPoolExecutor(workers()) as pool:
        for _ in pool.map(decode, range(0, len(chosen), _BLOCK)):
            pass
    kept = np.flatnonzero(good)
    for row, origin in enumerate(kept):
        if row != origin:  # in place: a copy would double the memory
            images[row] = images[origin]
    return MemoryPixels(
        torch.from_numpy(images[: len(kept)]),
        positions=torch.from_numpy(chosen[kept]),
        skipped=[decoder.records.name(int(index)) for index in chosen[~good]],
    )
