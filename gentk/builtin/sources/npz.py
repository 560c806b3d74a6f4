"""`npz:PATH`: images in a NumPy archive."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from ...data.arrays import ArrayRecords
from ...data.labels import NoLabels, Numbering, numbering
from ...data.splits import Split
from ...errors import DataError, NoSplit
from ...interfaces import Records, Report, Source
from .siblings import own_split, sibling_files

__all__ = ["Npz"]

_IMAGES: Final = ("images", "arr_0", "x", "data")
_LABELS: Final = ("labels", "label", "y", "arr_1")
_WORDS: Final[dict[Split, tuple[str, ...]]] = {
    "train": ("train",),
    "validation": ("val", "valid", "validation"),
    "test": ("test",),
}
_PAIRS: Final = (("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("images_{}", "labels_{}"))
"""How archives with several splits call the images of one, and their labels."""


@dataclass(frozen=True)
class _Part:
    """Where the images of one split are: a file, the name of an array, and those of labels."""

    file: Path
    images: str
    labels: tuple[str, ...]


class Npz(Source):
    """The arrays of one `.npz` file: uint8, booleans or floats in [0, 1], channels first, last or none.

    Images are the array `images` (or `arr_0`, `x`, `data`), or `x_train` and `x_test`, or
    `train_images` and `test_images`; labels are `labels` (or `label`, `y`, `arr_1`), or `y_train` and
    so on: whole numbers, also as floats, booleans, or names, numbered once for all splits. An archive
    without test images has the test split of its sibling file (`faces-test.npz` of
    `faces-train.npz`), and one whose name says it is held out is all test images.

    Args:
        path: The archive.
        images_array: Name of the array of images; None to find it.
        labels_array: Name of the array of labels; None to find it.
    """

    def __init__(
        self, path: Path, *, images_array: str | None = None, labels_array: str | None = None
    ) -> None:
        self._path = path.expanduser()
        self._images = images_array
        self._labels = labels_array
        self._notes: list[str] = []

    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split.

        Raises:
            DataError: When the archive is missing, damaged, pickled or holds no images.
        """
        named, parts = self._parts
        if split == "train" or named != "train":
            return self._records(named)
        for held_out in ("test", "validation"):
            if held_out in parts:
                return self._records(held_out)
        raise NoSplit(
            f"npz:{self._path} has no test split: add an array x_test, or a file of the same name with "
            f"test for train, or hold images out with validation=N and ask for split=validation"
        )

    def validation(self) -> Records | None:
        """Return the images of the validation arrays or file, if there are any."""
        return self._records("validation") if "validation" in self._parts[1] else None

    def report(self) -> Report:
        """Return the splits, and why labels are not used."""
        parts = self._parts[1]
        order = [split for split in ("train", "validation", "test") if split in parts]
        splits: dict[str, int] = {s: _length(parts[s]) for s in order if len(parts) > 1}
        return Report(splits, tuple(self._notes))

    @cached_property
    def _parts(self) -> tuple[Split, dict[Split, _Part]]:
        """The split that was named, and where the images of each are."""
        if not self._path.is_file():
            raise DataError(
                f"the file {self._path} does not exist: check the path (from {Path.cwd()}), or write it "
                f"with an array {self._images or _IMAGES[0]!r} (N, H, W) or (N, H, W, C)"
            )
        parts = self._inside(self._path)
        if not parts:
            names = [self._images] if self._images else list(_IMAGES)
            raise DataError(self._imageless(names))
        named: Split = "train" if "train" in parts else next(iter(parts))
        for split in _WORDS:
            beside = sibling_files(self._path, split) if split not in parts else []
            if len(beside) == 1:
                try:
                    parts.update({s: p for s, p in self._inside(beside[0]).items() if s == split})
                except DataError as error:
                    self._notes.append(f"{beside[0]} beside it is not used: {error}")
        return named, parts

    def _inside(self, file: Path) -> dict[Split, _Part]:
        """Return where the images of each split are in one archive."""
        with _archive(file) as archive:
            names = set(archive.files)
        asked = (self._labels,) if self._labels else None
        parts: dict[Split, _Part] = {}
        if self._images is None:
            for split, words in _WORDS.items():
                for images, labels in _PAIRS:
                    for word in words:
                        if images.format(word) in names and split not in parts:
                            own = asked or (labels.format(word),)
                            parts[split] = _Part(file, images.format(word), own)
        wanted = (self._images,) if self._images else _IMAGES
        plain = next((name for name in wanted if name in names), None)
        if not parts and plain is not None:
            parts[own_split(file) or "train"] = _Part(file, plain, asked or _LABELS)
        return parts

    def _imageless(self, names: list[str]) -> str:
        with _archive(self._path) as archive:
            held = archive.files
        if {"mu", "sigma"} <= set(held):
            return (
                f"npz:{self._path} holds statistics of features (mu, sigma) and no images: name images, "
                f"and statistics with --metric fd,statistics={self._path}"
            )
        return (
            f"npz:{self._path} has no array {' or '.join(names)}, it has {', '.join(held) or 'none'}: "
            f"name the one to use, images_array=NAME"
        )

    @cached_property
    def _numbering(self) -> Numbering | None:
        """The labels of all splits."""
        values: dict[str, NDArray[np.generic]] = {}
        for split, part in self._parts[1].items():
            column = self._column(part)
            if column is not None:
                values[split] = column
        try:
            done = numbering(values) if values else None
        except NoLabels as error:
            if self._labels:
                raise DataError(
                    f"npz:{self._path}: the array {self._labels} has no labels ({error}): name the one "
                    f"that has, labels_array=NAME"
                ) from error
            self._notes.append(f"npz:{self._path}: its labels are not used: {error}")
            return None
        if done is not None and done.new:
            shown = ", ".join(done.new[:6]) + (", ..." if len(done.new) > 6 else "")
            self._notes.append(
                f"npz:{self._path}: {len(done.new)} class{'es' * (len(done.new) != 1)} not among the "
                f"train images: {shown}"
            )
        return done

    def _column(self, part: _Part) -> NDArray[np.generic] | None:
        """Return the first array that may be labels; None, and why, if it cannot be read."""
        with _archive(part.file) as archive:
            name = next((name for name in part.labels if name in archive.files), None)
            if name is None:
                if self._labels:
                    raise DataError(
                        f"npz:{part.file} has no array {self._labels}; it has "
                        f"{', '.join(archive.files)}"
                    )
                return None
            try:
                column: NDArray[np.generic] = archive[name]
            except ValueError as error:
                if self._labels:
                    raise
                self._notes.append(f"npz:{part.file}: the array {name} is not used: {error}")
                return None
        count = _length(part)
        if len(column.reshape(-1)[:1]) and column.shape[0] != count and not self._labels:
            self._notes.append(
                f"npz:{part.file}: the array {name} is not used as labels: it has {column.shape[0]} "
                f"values, and there are {count} images"
            )
            return None
        return column

    def _records(self, split: Split) -> Records:
        part = self._parts[1][split]
        labels = self._numbering
        has = labels is not None and split in labels.labels
        with _archive(part.file) as archive:
            return ArrayRecords(
                archive[part.images],
                labels=labels.labels[split] if labels is not None and has else None,
                classes=labels.classes if labels is not None and has else None,
                source=f"npz:{part.file} (array {part.images})",
            )


@contextmanager
def _archive(file: Path) -> Iterator[NpzFile]:
    """Open an archive; errors of reading it become one sentence."""
    try:
        with file.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, NpzFile):
                raise DataError(f"npz:{file} is a single array: write it with numpy.savez")
            yield archive
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"npz:{file} cannot be read ({error}): it must be an archive that numpy.savez wrote, of "
            f"numbers, since arrays of Python objects are never unpickled"
        ) from error


_HEADERS: Final = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _length(part: _Part) -> int:
    """Return the number of images of a part, from the header of its array."""
    with zipfile.ZipFile(part.file) as archive, archive.open(f"{part.images}.npy") as member:
        version = np.lib.format.read_magic(member)
        read = _HEADERS.get(version)
        shape: tuple[int, ...] = read(member)[0] if read else ()
    return shape[0] if shape else 0
