"""`folder:PATH`: a folder of image files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

from PIL import Image

from ...data.picture import read_image
from ...errors import DataError
from ...interfaces import Records, Source

__all__ = ["Folder"]

_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
_TESTS: Final = ("test", "val", "validation")


class Folder(Source):
    """The images of a folder and of all folders below it, in the order of their paths.

    When the folder holds `train` and one of `test`, `val`, `validation`, these are the two splits
    (the first that exists is the test split); otherwise all images are train images. The folders
    below a split are the classes if every image is in one; a single folder that holds them all is
    passed through. Hidden files and folders are left out.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.expanduser()

    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split.

        Raises:
            DataError: When the folder is missing or holds no images of that split.
        """
        root = self._path
        if not root.is_dir():
            what = "is a file, not a folder" if root.exists() else "does not exist"
            raise DataError(f"folder:{root} {what}: name a folder of image files")
        tests = [root / name for name in _TESTS if (root / name).is_dir()]
        if (root / "train").is_dir() and tests:
            root = tests[0] if split == "test" else root / "train"
        elif split == "test":
            raise DataError(
                f"folder:{root} has no test split: make the folders {root / 'train'} and "
                f"{root / 'test'}, or hold images out with validation=N and ask for "
                f"split=validation"
            )
        files = _images(root)
        if not files:
            raise DataError(
                f"folder:{root} holds no images: looked for {' '.join(sorted(_SUFFIXES))}, also in "
                f"the folders below"
            )
        return _Files(root, files)


class _Files:
    """Image files below one folder."""

    def __init__(self, root: Path, files: list[Path]) -> None:
        while len(tops := {file.relative_to(root).parts[0] for file in files}) == 1:
            if files[0].parent == root:
                break
            root /= tops.pop()
        self._root = root
        self._files = files
        self.labels: list[int] | None = None
        self.classes: list[str] | None = None
        if all(file.parent != root for file in files):
            self.classes = sorted(tops)
            number = {name: label for label, name in enumerate(self.classes)}
            self.labels = [number[file.relative_to(root).parts[0]] for file in files]

    def __len__(self) -> int:
        return len(self._files)

    def decode(self, index: int) -> Image.Image:
        return read_image(self._files[index])

    def name(self, index: int) -> str:
        return self._files[index].relative_to(self._root).as_posix()

    def stored_size(self, index: int) -> int:
        return self._files[index].stat().st_size


def _images(root: Path) -> list[Path]:
    """Return the image files below `root`, through symbolic links, sorted by their paths' parts."""
    found: list[Path] = []
    for folder, below, names in os.walk(root, followlinks=True):
        below[:] = [name for name in below if not name.startswith((".", "__MACOSX"))]
        found += [
            Path(folder, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES
        ]
    return sorted(found, key=lambda file: file.parts)
