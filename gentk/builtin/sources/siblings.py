"""Siblings: which file holds a split, when the user named one file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ...errors import DataError

__all__ = ["split_file"]


def split_file(path: Path, split: Literal["train", "test"]) -> Path | None:
    """Return the file that holds a split, given the file that the user named; None for no such.

    The file that was named is what `train`, the default, gives, whatever it is called. `test` gives
    the same file if its name contains `test` and not `train` (it is all test images), else its
    sibling with `test` for `train` in the name, if there is one.

    Raises:
        DataError: When the named file does not exist.
    """
    if not path.is_file():
        raise DataError(f"the file {path} does not exist: check the path (from {Path.cwd()})")
    if split == "train" or ("test" in path.name and "train" not in path.name):
        return path
    sibling = path.with_name(path.name.replace("train", "test"))
    return sibling if sibling != path and sibling.is_file() else None
