"""`folder:PATH`: image files in a folder or in an archive."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from PIL import Image

from ...data.labels import number_folders
from ...data.picture import read_image, suffixes
from ...data.splits import AmbiguousSplits, Split, read_splits, split_of
from ...data.tree import ARCHIVES, Parts, Tree, is_archive, open_tree
from ...errors import DataError, NoSplit, did_you_mean
from ...interfaces import Records, Report, Source
from .siblings import sibling_folder

__all__ = ["Folder"]

_SHOWN: Final = 6

STRAY: Final = re.compile(r"(?P<path>.*?)[:;, ]\s*(?P<option>[a-z_]+=\S*|\d+)")
"""A path with an option behind it that no comma, or no name, sets apart."""


class Folder(Source):
    """The images of a folder, or of a zip or tar archive, in the order of their paths.

    Folders called `train` beside `test`, `val`, `valid`, `validation`, `dev` or `eval`, in any case,
    are splits; without a test folder the validation images are the test split too. What lies below a
    split are its classes, if every image is in one; a single folder that holds them all is passed
    through. Classes are numbered once for all splits, those of `train` first. A folder that is
    itself called `train` has the test split of the `test` beside it. Whatever else there is in the
    folder is told: other files, hidden ones, links to folders that are read already.

    Args:
        path: The folder, or the .zip, .tar, .tar.gz, ... file.
        layout: What the folders are where they could be either: `splits`, or `classes` of training
            images. Without it they are recognised, and refused where both readings make sense.
    """

    def __init__(self, path: Path, *, layout: Literal["splits", "classes"] | None = None) -> None:
        self._path = path.expanduser()
        self._layout = layout
        self._notes: list[str] = []

    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split.

        Raises:
            DataError: When the folder is missing, holds no images of that split, or could be read in
                two ways.
        """
        named, parts = self._contents
        if split == "train" or named != "train":
            return parts[named]
        for held_out in ("test", "validation"):
            if held_out in parts:
                return parts[held_out]
        raise NoSplit(
            f"folder:{self._path} has no test split: make the folders {self._path / 'train'} and "
            f"{self._path / 'test'}, or hold images out with validation=N and ask for "
            f"split=validation"
        )

    def validation(self) -> Records | None:
        """Return the images of the validation folder, if there is one."""
        return self._contents[1].get("validation")

    def report(self) -> Report:
        """Return the splits, and all that is left out."""
        parts = self._contents[1]
        splits: dict[str, int] = {s: len(records) for s, records in parts.items() if len(parts) > 1}
        return Report(splits, tuple(self._notes))

    @cached_property
    def _contents(self) -> tuple[Split, dict[Split, _Files]]:
        """The split that was named (train unless the folder is called otherwise), and all there are."""
        tree = self._tree()
        groups = self._splits(tree)
        named: Split = "train" if "train" in groups else next(iter(groups))
        if len(groups) == 1 and self._layout is None:
            own, beside = self._beside()
            if beside:
                group = groups.pop(named)
                named = own
                groups = {own: group, **beside}
        return named, self._numbered(groups)

    def _tree(self) -> Tree:
        path = self._path
        if not path.exists():
            raise DataError(f"folder:{path} does not exist: {_instead(path)}")
        if not path.is_dir() and not is_archive(path):
            raise DataError(
                f"folder:{path} is a file, not a folder: name a folder of image files, or an archive "
                f"({', '.join(ARCHIVES)})"
            )
        tree = open_tree(path)
        self._notes += [f"{path}: {said}" for said in tree.left.sentences()]
        if not tree.files:
            kinds = ", ".join(f"{count:,} {end}" for end, count in tree.left.endings.most_common(4))
            raise DataError(
                f"folder:{path} holds no images: looked for {' '.join(sorted(suffixes()))}, also in "
                f"the folders below{f', and there are only {kinds}' if kinds else ''}"
            )
        return tree

    def _splits(self, tree: Tree) -> dict[Split, _Group]:
        """Return the images of each split of a tree; all are train images where there are none."""
        whole = _Group(tree, list(range(len(tree.files))), list(tree.files)).passed()
        if self._layout == "classes":
            return {"train": whole}
        above = tree.files[0][: len(tree.files[0]) - len(whole.parts[0])]
        held_out = next((name for name in above if split_of(name) not in (None, "train")), None)
        if held_out is not None:
            self._notes.append(
                f"{self._path}: all images are below {held_out}, and are given as training images too"
            )
        names = Counter(parts[0] for parts in whole.parts if len(parts) > 1)
        loose = len(whole.parts) - sum(names.values())
        try:
            splits = read_splits(list(names), beside=loose, forced=self._layout == "splits")
        except AmbiguousSplits as error:
            raise self._ambiguous(str(error)) from error
        if splits is not None:
            left = [f"{n} ({names[n]:,})" for n in sorted(names) if n not in splits.values()]
            left = [*left[:_SHOWN], *(["..."] if len(left) > _SHOWN else [])]
            left += [f"{loose:,} beside the folders"] if loose else []
            if left:
                self._notes.append(
                    f"{self._path}: images in no split are left out: {', '.join(left)}"
                )
            return {split: whole.below(name) for split, name in splits.items()}
        turned = whole.classes_first()
        if turned and self._layout is None:
            shown = ", ".join(sorted(names)[:_SHOWN])
            raise self._ambiguous(
                f"{shown} may be classes of training images, whatever is below them, or classes that "
                f"hold the splits {' and '.join(sorted(turned))}"
            )
        if not turned and self._layout == "splits":
            raise DataError(
                f"folder:{self._path} has no splits: call its folders train and test, or drop "
                f"layout=splits"
            )
        return dict(turned) or {"train": whole}

    def _beside(self) -> tuple[Split, dict[Split, _Group]]:
        """Return which split of its data the named folder is, and the others, which lie beside it."""
        own = split_of(self._path.name.partition(".")[0]) if self._path.name else None
        others: dict[Split, _Group] = {}
        wanted: dict[Split | None, tuple[Split, ...]] = {
            "train": ("test", "validation"),
            "test": ("train",),
            "validation": ("train",),
        }
        for split in wanted.get(own, ()):
            path = sibling_folder(self._path, split)
            tree = open_tree(path) if path is not None else None
            if tree is not None and tree.files:
                others[split] = _Group(tree, list(range(len(tree.files))), list(tree.files))
                self._notes.append(f"{self._path}: the {split} split of these data is {path}")
        return own or "train", others

    def _numbered(self, groups: Mapping[Split, _Group]) -> dict[Split, _Files]:
        """Return the records of all splits under one numbering of their classes."""
        levels = _levels(groups)
        tops: dict[str, list[str]] = {}
        for split, group in levels.items():
            folders = {parts[0] for parts in group.parts if len(parts) > 1}
            loose = sum(len(parts) == 1 for parts in group.parts)
            if not loose:
                tops[split] = sorted(folders)
            elif folders:
                self._notes.append(
                    f"{self._path}: the {split} images have no classes, since {loose:,} lie beside the "
                    f"folders {', '.join(sorted(folders)[:_SHOWN])}"
                )
        classes, new = number_folders(tops)
        if new:
            self._notes.append(
                f"{self._path}: {len(new)} class{'es' * (len(new) != 1)} not among the train images: "
                f"{', '.join(new[:_SHOWN])}{', ...' if len(new) > _SHOWN else ''}"
            )
        number = {name: label for label, name in enumerate(classes)}
        order = sorted(levels, key=("train", "validation", "test").index)
        return {s: _Files(levels[s], number if s in tops else None) for s in order}

    def _ambiguous(self, readings: str) -> DataError:
        return DataError(
            f"folder:{self._path} can be read in two ways: {readings}; type layout=classes or "
            f"layout=splits to say which"
        )


@dataclass(frozen=True)
class _Group:
    """Some images of a tree: their indices, and their paths below where classes are looked for."""

    tree: Tree
    indices: list[int]
    parts: list[Parts]

    @property
    def single(self) -> str | None:
        """The one folder that holds them all, if there is one."""
        tops = {parts[0] if len(parts) > 1 else "" for parts in self.parts}
        return tops.pop() or None if len(tops) == 1 else None

    def deeper(self) -> _Group:
        """Return the images as seen from the folder that holds them all."""
        return _Group(self.tree, self.indices, [parts[1:] for parts in self.parts])

    def passed(self) -> _Group:
        """Return the images as seen from the deepest folder that leads to all of them, but for one
        that is called as a split.
        """
        group = self
        while group.single is not None:
            group = group.deeper()
        return group

    def below(self, folder: str) -> _Group:
        """Return the images of one folder."""
        kept = [(i, p[1:]) for i, p in zip(self.indices, self.parts, strict=True) if p[0] == folder]
        kept = [(i, parts) for i, parts in kept if parts]
        return _Group(self.tree, [i for i, _ in kept], [parts for _, parts in kept])

    def classes_first(self) -> dict[Split, _Group]:
        """Return the splits below each class, `cat/train/1.png`; empty if they are none."""
        by_split: dict[Split, list[tuple[int, Parts]]] = {}
        for index, parts in zip(self.indices, self.parts, strict=True):
            meant = split_of(parts[1]) if len(parts) > 2 else None
            if meant is not None:
                by_split.setdefault(meant, []).append((index, (parts[0], *parts[2:])))
        if "train" not in by_split or len(by_split) < 2:
            return {}
        return {
            split: _Group(self.tree, [i for i, _ in rows], [parts for _, parts in rows])
            for split, rows in by_split.items()
        }


def _levels(groups: Mapping[Split, _Group]) -> dict[Split, _Group]:
    """Return the images of all splits as seen from where their classes are.

    A single folder that holds all images of a split is passed through, unless it is a class: one of
    the folders that another split has several of.
    """
    levels = dict(groups)
    while True:
        singles = {split: group.single for split, group in levels.items()}
        if all(singles.values()):
            movers = list(levels)
        else:
            tops = {s: {parts[0] for parts in group.parts} for s, group in levels.items()}
            movers = [
                split
                for split, single in singles.items()
                if single and not any(single in tops[other] for other in levels if other != split)
            ]
        if not movers:
            return levels
        for split in movers:
            levels[split] = levels[split].deeper()


class _Files:
    """The image files of one split."""

    def __init__(self, group: _Group, number: Mapping[str, int] | None) -> None:
        self._group = group
        self.place: Path | None = None
        self.labels: list[int] | None = None
        self.classes: list[str] | None = None
        if number is not None and group.parts:
            self.classes = list(number)
            self.labels = [number[parts[0]] for parts in group.parts]

    def __len__(self) -> int:
        return len(self._group.indices)

    def decode(self, index: int) -> Image.Image:
        return read_image(self._group.tree.read(self._group.indices[index]))

    def name(self, index: int) -> str:
        return _printable(self._group.parts[index])

    def unpacked(
        self, memory: int, *, again: bool, advance: Callable[[int], None] | None = None
    ) -> Records:
        self._group.tree.unpack(memory, advance)
        self.place = self._group.tree.place
        return self

    def stored_size(self, index: int) -> int:
        return self._group.tree.stored_size(self._group.indices[index])


def _printable(parts: Sequence[str]) -> str:
    """Return a path as one line, whatever characters its parts have."""
    path = "/".join(parts)
    return path if path.isprintable() else path.encode("unicode_escape").decode()


def _instead(path: Path) -> str:
    """Return what to type for a folder that there is not."""
    stray = STRAY.fullmatch(str(path))
    if stray is not None and Path(stray["path"]).exists():
        option = stray["option"] if "=" in stray["option"] else f"size={stray['option']}"
        return f"options stand behind a comma, as KEY=VALUE; type folder:{stray['path']},{option}"
    try:
        near = [str(each) for each in path.parent.iterdir() if each.is_dir()]
    except OSError:
        near = []
    return f"{did_you_mean(str(path), near)}name a folder of image files"
