"""Opening: a source and a view become an image set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import DataError
from ..interfaces import ImageShape, PackedRecords, Records, Source
from .decoder import Decoder, UnexpectedColour
from .imageset import ImageSet
from .pixels import LazyPixels, MemoryPixels, Pixels
from .remarks import Remarks
from .survey import Survey, held, survey
from .view import View

__all__ = ["open_images"]

Advance = Callable[[str, int, int], None]

_PROBES: Final = 64  # images that are decoded to learn the shape and whether any is in colour


def open_images(
    source: Source,
    name: str,
    view: View | None = None,
    advance: Advance | None = None,
) -> ImageSet:
    """Return the images that a view takes of a source, decoded by threads.

    All are decoded once. Sets whose decoded images exceed `view.memory` are decoded again when they
    are used; nothing else is different with them.

    Args:
        source: Where the images come from.
        name: What the user calls the data.
        view: Split, size, channels and so on; None for the train images as they are.
        advance: Called with what is being done, the number of images done, and how many there are,
            while a set larger than `view.memory` is unpacked and looked through.

    Raises:
        DataError: When there are no images, they differ in size or are not square and no `size` is
            given, or one is damaged and the view is strict.
    """
    view = view or View()
    packed, own = _records(source, view)
    records = _unpacked(packed, view, advance, again=False)
    try:
        chosen = view.select(len(records), own=own)
    except DataError as error:
        raise type(error)(f"{name}: {error}") from error
    decoder = Decoder(records, view, name)
    probed = _probe(decoder, chosen)
    pixels, remarks = _pixels(decoder, _shape(probed, name), chosen, probed, advance)
    labels = records.labels if own else view.relabelled(records.labels, len(records))
    # Names are those of the source's own classes.
    classes = records.classes if labels is records.labels else None
    return ImageSet(
        pixels,
        name=name,
        view=view,
        labels=labels,
        classes=classes,
        report=source.report(),
        remarks=remarks.sentences(view.white),
    )


def _records(source: Source, view: View) -> tuple[Records, bool]:
    """Return the records of a view's split, and whether they are a validation split of the source."""
    if view.split == "validation" and not view.validation:
        held_out = source.validation()
        if held_out is not None:
            return held_out, True
    return source.records("test" if view.split == "test" else "train"), False


def _unpacked(records: Records, view: View, advance: Advance | None, *, again: bool) -> Records:
    """Return records that can be decoded again, or once in order, within the memory of a view."""
    if not isinstance(records, PackedRecords):
        return records
    told = partial(_tell, advance, "unpacking", len(records)) if advance else None
    return records.unpacked(view.bytes, again=again, advance=told)


def _tell(advance: Advance, what: str, count: int, done: int) -> None:
    advance(what, done, count)


def _pixels(
    decoder: Decoder,
    shape: ImageShape,
    chosen: NDArray[np.int64],
    probed: list[NDArray[np.uint8]],
    advance: Advance | None,
) -> tuple[Pixels, Remarks]:
    """Decode all images once, and hold them if they fit in memory."""
    try:
        fitting = replace(decoder, shape=shape, remarks=Remarks())
        return _surveyed(fitting, shape, chosen, probed, advance)
    except UnexpectedColour:
        shape = shape._replace(channels=3)
        fitting = replace(decoder, shape=shape, remarks=Remarks())
        return _surveyed(fitting, shape, chosen, probed, advance)


def _surveyed(
    decoder: Decoder,
    shape: ImageShape,
    chosen: NDArray[np.int64],
    probed: list[NDArray[np.uint8]],
    advance: Advance | None,
) -> tuple[Pixels, Remarks]:
    if len(chosen) * int(np.prod(shape)) <= decoder.view.bytes:
        images, good = held(decoder, chosen)
        kept, skipped = _parted(decoder, chosen, good)
        pixels = MemoryPixels(images, positions=torch.from_numpy(kept), skipped=skipped)
        return pixels, decoder.remarks
    view = decoder.view
    decoder = replace(decoder, records=_unpacked(decoder.records, view, advance, again=True))
    told = partial(_tell, advance, "decoding", len(chosen)) if advance else None
    seen: Survey = survey(decoder, chosen, probed, told)
    kept, skipped = _parted(decoder, chosen, seen.good)
    again = replace(decoder, remarks=Remarks())
    lazy = LazyPixels(
        again,
        kept,
        probed,
        memory=view.bytes,
        extremes=seen.extremes,
        skipped=skipped,
    )
    return lazy, Remarks(seen.remarks)


def _parted(
    decoder: Decoder, chosen: NDArray[np.int64], good: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the records that are good, and the names of the others."""
    return chosen[good], [decoder.records.name(int(index)) for index in chosen[~good]]


def _probe(decoder: Decoder, chosen: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    """Decode some images, evenly spaced; if these are all damaged, every one until one is not.

    Strictness is left to the pass over all images, which names the first damaged one.
    """
    lenient = replace(decoder, view=replace(decoder.view, strict=False))
    spread = np.unique(np.linspace(0, len(chosen) - 1, _PROBES).astype(np.int64))
    decoded = [array for index in chosen[spread] if (array := lenient(int(index))) is not None]
    if decoded:
        return decoded
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
