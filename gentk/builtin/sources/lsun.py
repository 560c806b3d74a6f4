"""`lsun`: the scene categories of LSUN, read from their LMDB folders."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from ...data.picture import read_image
from ...errors import BadOption, DataError
from ...interfaces import Records, Source
from .named import data_folder

__all__ = ["Lsun"]


class Lsun(Source):
    """LSUN: one or more categories, from folders such as `ROOT/bedroom_train_lmdb`.

    torchvision's reader is not used: it writes a pickle into the current folder and reads it back.
    The images are the records in the order of their keys; the test split are the `_val` folders of
    the same categories.

    Source: Yu, Seff, Zhang, Song, Funkhouser and Xiao, 2015, arXiv:1506.03365.

    Args:
        root: The folder of the LMDB folders; None for $GENTK_DATA or ~/.cache/gentk/data.
        classes: Categories with their part, as in `bedroom_train+kitchen_train`.
    """

    def __init__(
        self, *, root: Path | None = None, classes: tuple[str, ...] = ("bedroom_train",)
    ) -> None:
        if not classes:
            raise BadOption("classes= of lsun is empty: name one, such as classes=bedroom_train")
        self._root = data_folder(root)
        self._classes = classes

    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split.

        Raises:
            DataError: When a folder or the package lmdb is missing, or a folder is damaged.
        """
        names = list(self._classes)
        if split == "test":
            names = [f"{name.removesuffix('_train')}_val" for name in names]
        for name in names:
            if not (self._root / f"{name}_lmdb" / "data.mdb").is_file():
                raise DataError(
                    f"lsun has no {name} in {self._root}: unpack {name}_lmdb.zip there (the sets "
                    f"are fetched with github.com/fyu/lsun), say where it is with lsun,root=PATH, "
                    f"or use folder:PATH"
                )
        try:
            lmdb: Any = importlib.import_module("lmdb")
        except ImportError as error:
            raise DataError("lsun needs the package lmdb: pip install lmdb") from error
        try:
            return _Entries(lmdb, self._root, names)
        except lmdb.Error as error:
            raise DataError(f"lsun in {self._root} cannot be read ({error})") from error


class _Entries:
    """The entries of LMDB folders, one class each."""

    def __init__(self, lmdb: Any, root: Path, names: list[str]) -> None:
        self._folders: list[Any] = []
        self._keys: list[tuple[int, bytes]] = []
        for number, name in enumerate(names):
            folder = lmdb.open(
                str(root / f"{name}_lmdb"), readonly=True, lock=False, readahead=False
            )
            with folder.begin() as transaction:
                keys = transaction.cursor().iternext(keys=True, values=False)
                self._keys += [(number, bytes(key)) for key in keys]
            self._folders.append(folder)
        single = len(names) == 1
        self.labels: list[int] | None = None if single else [number for number, _ in self._keys]
        # The same in all splits: classes belong to the data.
        bare = [name.removesuffix("_train").removesuffix("_val") for name in names]
        self.classes: list[str] | None = None if single else bare

    def __len__(self) -> int:
        return len(self._keys)

    def decode(self, index: int) -> Image.Image:
        number, key = self._keys[index]
        with self._folders[number].begin() as transaction:
            return read_image(bytes(transaction.get(key)))

    def name(self, index: int) -> str:
        number, key = self._keys[index]
        return f"{key.decode(errors='replace')} of folder {number}"
