"""Siblings: which files and folders hold the other splits of what the user named."""

from __future__ import annotations

import re
from pathlib import Path

from ...data.splits import Split, split_of, split_of_file
from ...data.tree import is_archive

__all__ = ["in_number_order", "own_split", "sibling_files", "sibling_folder"]


def in_number_order(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Return what sorts paths by the numbers in them: shard 2 comes before shard 10."""
    pieces = re.findall(r"\d+|\D+", path.as_posix())
    return tuple((0, int(p), p) if p.isdigit() else (1, 0, p) for p in pieces)


def own_split(path: Path) -> Split | None:
    """Return the split that a file's name says it holds, or None."""
    return split_of_file(path.stem)[0]


def sibling_files(path: Path, split: Split) -> list[Path]:
    """Return the files beside `path` that are called like it with another split's word, in order.

    `test-00000-of-00001.parquet` and `a_Valid.npz` are siblings of `train-00000-of-00004.parquet` and
    `a_Train.npz`.
    """
    own, rest = split_of_file(path.stem)
    if own is None:
        other = path.with_name(path.name.replace("train", split))
        return [other] if other != path and other.is_file() else []
    beside = (p for p in path.parent.iterdir() if p.suffix.lower() == path.suffix.lower())
    same = [p for p in beside if split_of_file(p.stem) == (split, rest) and p.is_file()]
    return sorted((p for p in same if p != path), key=in_number_order)


def sibling_folder(path: Path, split: Split) -> Path | None:
    """Return the only folder (of an archive: archive) beside `path` that is called a split's name."""
    packed = is_archive(path) and not path.is_dir()
    same = [
        other
        for other in path.parent.iterdir()
        if other != path
        and split_of(other.name.partition(".")[0]) == split
        and (is_archive(other) and other.is_file() if packed else other.is_dir())
    ]
    return same[0] if len(same) == 1 else None
