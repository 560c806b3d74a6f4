"""Surveys: the one pass in which every image is decoded before anything is trained on it.

Sets that are held in memory and sets that are decoded when they are used go through the same pass, so
that what is refused, skipped or told does not depend on the memory of a machine.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..cache import cache_folder
from ..files import read_document, write_document
from .decoder import Decoder
from .pixels import stored_fingerprint, workers

__all__ = ["Survey", "held", "survey"]

_BLOCK: Final = 256  # images that a thread decodes at a time
_FORMAT: Final = 1

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Survey:
    """What decoding all images once has shown.

    Attributes:
        good: Whether each image could be decoded, (N,).
        extremes: The smallest and the largest value of those.
        remarks: How many images each remark was made of.
    """

    good: NDArray[np.bool_]
    extremes: tuple[int, int]
    remarks: dict[str, int]


def held(decoder: Decoder, chosen: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.bool_]]:
    """Decode all images into one tensor, without the damaged ones, and say which are good."""
    assert decoder.shape is not None
    images = np.empty((len(chosen), *decoder.shape), dtype=np.uint8)

    def keep(row: int, array: NDArray[np.uint8]) -> None:
        images[row] = array

    good = _pass(decoder, chosen, keep)
    kept = np.flatnonzero(good)
    for row, origin in enumerate(kept):
        if row != origin:  # in place: a copy would double the memory
            images[row] = images[origin]
    return torch.from_numpy(images[: len(kept)]), good


def survey(
    decoder: Decoder,
    chosen: NDArray[np.int64],
    probed: list[NDArray[np.uint8]],
    advance: Advance | None = None,
) -> Survey:
    """Decode all images and keep none; what was seen of stored files is remembered on disk.

    The same files (names, stored sizes, some of the pixels) under the same view are not looked through
    again.
    """
    path = _place(decoder, chosen, probed)
    remembered = _read(path, len(chosen)) if path is not None else None
    if remembered is not None and not (decoder.view.strict and not remembered.good.all()):
        return remembered
    least = np.full(len(chosen), 255, dtype=np.uint8)
    most = np.zeros(len(chosen), dtype=np.uint8)

    def look(row: int, array: NDArray[np.uint8]) -> None:
        least[row], most[row] = array.min(), array.max()

    good = _pass(decoder, chosen, look, advance)
    seen = Survey(good, (int(least[good].min()), int(most[good].max())), decoder.remarks.counts)
    if path is not None:
        _write(path, seen)
    return seen


def _pass(
    decoder: Decoder,
    chosen: NDArray[np.int64],
    take: Callable[[int, NDArray[np.uint8]], None],
    advance: Advance | None = None,
) -> NDArray[np.bool_]:
    """Decode every image in threads and hand it over with its row; say which are good."""
    good = np.ones(len(chosen), dtype=bool)
    lock = threading.Lock()
    done = 0

    def decode(start: int) -> None:
        nonlocal done
        stop = min(start + _BLOCK, len(chosen))
        for row in range(start, stop):
            array = decoder(int(chosen[row]))
            if array is None:
                good[row] = False
            else:
                take(row, array)
        if advance is not None:
            with lock:
                done += stop - start
                advance(done)

    with ThreadPoolExecutor(workers()) as pool:
        try:
            for _ in pool.map(decode, range(0, len(chosen), _BLOCK)):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)  # Nobody wants the others any more.
            raise
    return good


def _place(
    decoder: Decoder, chosen: NDArray[np.int64], probed: list[NDArray[np.uint8]]
) -> Path | None:
    """Return the file in which a survey is remembered; None for records without stored sizes."""
    if getattr(decoder.records, "stored_size", None) is None or decoder.shape is None:
        return None
    view = asdict(replace(decoder.view, memory=0.0, strict=False, labels=None))
    content = stored_fingerprint(decoder.records, decoder.shape, chosen, probed)
    facts = [_FORMAT, PIL.__version__, decoder.name, view, tuple(decoder.shape), content]
    digest = blake2b(repr(facts).encode(errors="surrogateescape"), digest_size=16).hexdigest()
    return cache_folder() / "surveys" / f"{digest}.json"


def _read(path: Path, count: int) -> Survey | None:
    """Return a survey that was remembered; None if there is none, or it cannot be read."""
    try:
        content, _ = read_document(path)
        good = np.ones(count, dtype=bool)
        good[np.array(content["damaged"], dtype=np.int64)] = False
        low, high = content["extremes"]
        return Survey(good, (int(low), int(high)), dict(content["remarks"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _write(path: Path, seen: Survey) -> None:
    """Remember a survey; a cache that cannot be written is done without."""
    content = {
        "damaged": np.flatnonzero(~seen.good).tolist(),
        "extremes": list(seen.extremes),
        "remarks": seen.remarks,
    }
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_document(path, content)
