"""`npz:PATH`: images in a NumPy archive."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Final, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile

from ...data.arrays import ArrayRecords
from ...errors import DataError
from ...interfaces import Records, Source
from .siblings import split_file

__all__ = ["Npz"]

_IMAGES: Final = ("images", "arr_0", "x", "data")
_LABELS: Final = ("labels", "label", "y", "arr_1")


class Npz(Source):
    """The arrays of one `.npz` file: uint8 or floats in [0, 1], channels first, last or none.

    Images are the array `images` (or `arr_0`, `x`, `data`), or `x_train` and `x_test`; labels are
    `labels` (or `label`, `y`, `arr_1`), or `y_train` and `y_test`. An archive without `x_test` has
    the test split of its sibling file (`faces-test.npz` of `faces-train.npz`), and one whose name
    contains `test` and not `train` is all test images.

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

    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split.

        Raises:
            DataError: When the archive is missing, damaged, pickled or holds no images.
        """
        path = split_file(self._path, split)
        if self._images is None:
            records = self._read(self._path, (f"x_{split}",), (f"y_{split}",))
            if records is not None:
                return records
        if path is None:
            raise DataError(
                f"npz:{self._path} has no test split: add an array x_test, or a file of the same "
                f"name with test for train, or hold images out with validation=N and ask for "
                f"split=validation"
            )
        names = (self._images,) if self._images else _IMAGES
        records = self._read(path, names, _LABELS)
        if records is None:
            raise DataError(
                f"npz:{path} has no array {' or '.join(names)}: name the one to use, images=NAME"
            )
        return records

    def _read(
        self, path: Path, images: tuple[str, ...], labels: tuple[str, ...]
    ) -> ArrayRecords | None:
        """Return the first of the arrays `images` that exists, with its labels, or None."""
        try:
            with path.open("rb") as file:
                archive = np.load(file, allow_pickle=False)
                if not isinstance(archive, NpzFile):
                    raise DataError(f"npz:{path} is a single array: write it with numpy.savez")
                found = next((name for name in images if name in archive), None)
                if found is None:
                    return None
                # An array that only happens to have such a name may hold anything.
                fitting = (n for n in labels if n in archive and archive[n].dtype.kind in "iu")
                label = self._labels or next(fitting, None)
                return ArrayRecords(
                    archive[found],
                    labels=archive[label] if label else None,
                    source=f"npz:{path} (array {found})",
                )
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise DataError(
                f"npz:{path} cannot be read ({error}): it must be an archive that numpy.savez "
                f"wrote, of numbers, since arrays of Python objects are never unpickled"
            ) from error
