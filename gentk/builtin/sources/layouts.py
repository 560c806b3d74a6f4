"""Layouts: which files of a folder are the shards of which split."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from ...data.splits import Split, split_of, split_of_file
from ...errors import DataError
from .siblings import in_number_order, own_split, sibling_files

__all__ = ["Layout", "lay_out"]

Config = tuple[str, ...]
"""What is left of a path without the words of splits and shards: which of several data sets."""

_PREFERRED: tuple[Config, ...] = ((), ("data",))


@dataclass
class Layout:
    """The files of a data set.

    Attributes:
        named: The split that the user named: what `split=train` gives.
        files: Split -> its files, shards in the order of their numbers.
        notes: What to say of what was left out.
    """

    named: Split
    files: dict[Split, list[Path]]
    notes: list[str] = field(default_factory=list)


def lay_out(path: Path, kind: str, suffix: str) -> Layout:
    """Return the files of each split, given a file, a folder or a pattern such as `train-*.parquet`.

    A file gives itself, and its siblings are the other splits. A folder is searched with all folders
    below it: splits are told by words in the names of folders and files, in any case.

    Args:
        path: What the user named.
        kind: What such sources are called, such as `parquet`.
        suffix: What their files end in.

    Raises:
        DataError: There are no files, or those of several data sets.
    """
    if path.is_dir():
        files = [
            file
            for file in sorted(path.rglob(f"*{suffix}"), key=in_number_order)
            if file.is_file() and not _is_aside(file.relative_to(path).parts)
        ]
        if not files:
            raise DataError(
                f"{kind}:{path} is a folder without train*{suffix}: name a folder with such files, or "
                f"one file, {kind}:{path / f'FILE{suffix}'}"
            )
        return _grouped(path, files, kind)
    if path.is_file():
        return _with_siblings([path], path)
    plain = list(takewhile(lambda part: not glob.has_magic(part), path.parts))
    if len(plain) < len(path.parts):
        base = Path(*plain)
        matches = base.glob(str(Path(*path.parts[len(plain) :])))
        files = sorted(filter(Path.is_file, matches), key=in_number_order)
        if files:
            several = len({own_split(file) for file in files}) > 1
            return _grouped(base, files, kind) if several else _with_siblings(files, path)
    raise DataError(f"the file {path} does not exist: check the path (from {Path.cwd()})")


def _with_siblings(files: list[Path], named: Path) -> Layout:
    """Return the files that were named as one split, and their siblings as the others."""
    own = own_split(files[0])
    layout = Layout(own or "train", {own or "train": files})
    for split in ("train", "validation", "test"):
        others = [p for p in sibling_files(files[0], split) if p not in files]
        if not others:
            continue
        if split == (own or "train"):
            layout.notes.append(
                f"{named} is {len(files)} of {len(files) + len(others)} files of its split; name the "
                f"folder, or a pattern with *, to read all of them"
            )
        else:
            layout.files[split] = others
    return layout


def _grouped(root: Path, files: Sequence[Path], kind: str) -> Layout:
    """Sort files by the split and by the data set that their paths tell."""
    sets: dict[Config, dict[Split, list[Path]]] = {}
    strays: list[Path] = []
    for file in files:
        split, which = _told(_below(file, root))
        if split is None:
            strays.append(file)
        else:
            sets.setdefault(which, {}).setdefault(split, []).append(file)
    if not sets:
        layout = Layout("train", {"train": strays})
        if len(strays) > 1:
            layout.notes.append(
                f"{root}: no name tells a split, so all {len(strays)} files are training images"
            )
        return layout
    config: Config | None = next((each for each in _PREFERRED if each in sets), None)
    if config is None:
        if len(sets) > 1:
            shown = ", ".join(sorted("/".join(each) for each in sets)[:8])
            first = next(iter(next(iter(sets.values())).values()))[0]
            raise DataError(
                f"{kind}:{root} holds several data sets, {shown}: name one folder or file, such as "
                f"{kind}:{first}"
            )
        config = next(iter(sets))
    chosen = sets.pop(config)
    layout = Layout("train" if "train" in chosen else next(iter(chosen)), chosen)
    left = strays + [f for other in sets.values() for part in other.values() for f in part]
    if left:
        shown = ", ".join(str(_below(file, root)) for file in left[:4])
        more = ", ..." if len(left) > 4 else ""
        layout.notes.append(f"{root}: {len(left)} files are left out: {shown}{more}")
    return layout


def _told(path: Path) -> tuple[Split | None, Config]:
    """Return the split and the data set that a path below the root tells."""
    folders = list(path.parts[:-1])
    split, rest = split_of_file(path.stem)
    for place, folder in enumerate(folders):
        meant = split_of(folder)
        if meant is not None:
            del folders[place]
            return meant, tuple(folders)
    name = "-".join(word for word in rest.split("-") if word and word != "data")
    return split, (*folders, *([name] if name else []))


def _below(file: Path, root: Path) -> Path:
    return file.relative_to(root) if file.is_relative_to(root) else Path(file.name)


def _is_aside(parts: Sequence[str]) -> bool:
    """Say whether a path is hidden, or one of the results that `datasets` keeps beside the data."""
    return any(part.startswith(".") for part in parts) or parts[-1].startswith(("cache-", "tmp"))
