"""Trees: the image files of a folder or of an archive, and an account of everything else in it."""

from __future__ import annotations

import lzma
import os
import tarfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from ..errors import DataError
from ..files import regular
from .picture import suffixes
from .spool import Spool, spooled, stamp

__all__ = ["ARCHIVES", "LeftOut", "Parts", "Tree", "is_archive", "open_tree"]

Member = TypeVar("Member")

ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""Endings of the archives that are read in place."""

_SIDECARS: Final = frozenset(
    {
        "__macosx",
        "@eadir",
        "@tmp",
        "@recycle",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "recycler",
        "lost+found",
        "system volume information",
        "__pycache__",
    }
)
"""Folders that file systems, not people, put beside images; so are all hidden ones."""

_SYSTEM: Final = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
"""Files of the same kind: nobody misses them."""

AT_ONCE: Final = 2**26
"""Compressed archives of so many bytes at most are held in memory in any case."""

Parts = tuple[str, ...]


@dataclass
class LeftOut:
    """What is in a tree besides its images.

    Attributes:
        endings: How many files there are of each extension that is no image's.
        hidden: Images that are hidden, or in hidden folders or those of a file system.
        links: Links to folders that are read already, on the way or for themselves.
        broken: Links that lead nowhere, and names that are no regular file: pipes, devices.
        empty: Folders that hold no image, and do not lead to one.
    """

    endings: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    links: int = 0
    broken: int = 0
    empty: list[str] = field(default_factory=list)

    def sentences(self) -> list[str]:
        """Return what to say of it, in one sentence a kind."""
        said = []
        if self.endings:
            total = sum(self.endings.values())
            kinds = ", ".join(f"{number:,} {end}" for end, number in self.endings.most_common(8))
            more = ", ..." if len(self.endings) > 8 else ""
            what = "file left out that is not an image|files left out that are not images"
            said.append(f"{_counted(total, *what.split('|'))}: {kinds}{more}")
        for number, what in (
            (self.hidden, "hidden image"),
            (
                self.links,
                "link to a folder that is read already|links to folders that are read already",
            ),
            (self.broken, "broken link or special file|broken links or special files"),
        ):
            if number:
                one, _, many = what.partition("|")
                said.append(f"{_counted(number, one, many)} left out")
        if self.empty:
            shown = ", ".join(self.empty[:4]) + (", ..." if len(self.empty) > 4 else "")
            what = "folder without images|folders without images"
            said.append(f"{_counted(len(self.empty), *what.split('|'))}: {shown}")
        return said


class Tree(ABC):
    """The images below one root, in the order of their paths' parts.

    Attributes:
        root: The folder or the archive.
        files: The images, as the parts of their paths below the root.
        left: What else there is.
        place: The folder that the images were unpacked to; None where they were not.
    """

    root: Path
    files: list[Parts]
    left: LeftOut
    place: Path | None = None

    @abstractmethod
    def read(self, index: int) -> Path | bytes:
        """Return where image `index` is, or its bytes."""

    def unpack(self, memory: int, advance: Callable[[int], None] | None = None) -> None:
        """See that images can be read one by one, in memory if they are of so many bytes at most."""
        return

    @abstractmethod
    def stored_size(self, index: int) -> int:
        """Return the size of file `index`, in bytes."""


def is_archive(path: Path) -> bool:
    """Say whether a path is called like an archive that is read in place."""
    return path.name.lower().endswith(ARCHIVES)


def open_tree(path: Path) -> Tree:
    """Return the tree of a folder or of an archive.

    Raises:
        DataError: A folder in it cannot be opened, or the archive is damaged.
    """
    if not is_archive(path) or path.is_dir():
        return _Folder(path)
    try:
        regular(path)
        return _Zip(path) if path.name.lower().endswith(".zip") else _Tar(path)
    except (
        OSError,
        EOFError,
        ValueError,
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
    ) as error:
        raise DataError(
            f"{path} cannot be read as an archive ({error}): make it again, or unpack it and name "
            f"the folder"
        ) from error


class _Folder(Tree):
    """A folder and all folders below it, through links."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.left = LeftOut()
        self._images = suffixes()
        self._base = os.path.realpath(root)
        self.files = sorted(self._walk(root, (), (self._base,)))

    def read(self, index: int) -> Path:
        return self.root.joinpath(*self.files[index])

    def stored_size(self, index: int) -> int:
        return self.read(index).stat().st_size

    def _walk(self, folder: Path, parts: Parts, above: Sequence[str]) -> Iterator[Parts]:
        """Yield the images below a folder; `above` are the real paths of the folders on the way."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(
                f"the folder {folder} cannot be opened ({error.strerror}): make it readable, or name "
                f"another folder"
            ) from error
        count = 0
        for entry in entries:
            if entry.is_dir():
                for below in self._below(entry, parts, above):
                    count += 1
                    yield below
            elif _takes(entry.name, self.left, self._images, regular=entry.is_file()):
                count += 1
                yield (*parts, entry.name)
        if not count and parts and not _is_sidecar(parts[-1]):
            self.left.empty.append("/".join(parts))

    def _below(
        self, entry: os.DirEntry[str], parts: Parts, above: Sequence[str]
    ) -> Iterator[Parts]:
        """Yield the images of one folder in another, unless it is read already."""
        if _is_sidecar(entry.name):
            self.left.hidden += _hidden_images(entry.path, self._images)
            return
        real = os.path.realpath(entry.path) if entry.is_symlink() else ""
        if real and (real in above or self._is_read(real)):
            self.left.links += 1
            return
        own = real or str(Path(above[-1]) / entry.name)
        yield from self._walk(Path(entry.path), (*parts, entry.name), (*above, own))

    def _is_read(self, real: str) -> bool:
        """Say whether a folder is below the root, or is it or leads to it, and in no hidden one."""
        base, folder = Path(self._base), Path(real)
        if base.is_relative_to(folder):
            return True
        return folder.is_relative_to(base) and not any(
            map(_is_sidecar, folder.relative_to(base).parts)
        )


class _Zip(Tree):
    """A zip archive, whose files are unpacked one at a time when they are used."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.left = LeftOut()
        self._archive = zipfile.ZipFile(root)
        members = [entry for entry in self._archive.infolist() if not entry.is_dir()]
        if any(entry.flag_bits & 1 for entry in members):
            raise ValueError("it is encrypted")
        self._members = _members({entry.filename: entry for entry in members}, self.left)
        self.files = list(self._members)

    def read(self, index: int) -> bytes:
        try:
            return self._archive.read(self._members[self.files[index]])
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise OSError(str(error)) from error

    def stored_size(self, index: int) -> int:
        return self._members[self.files[index]].file_size


class _Tar(Tree):
    """A tar archive, read where its files lie; of a compressed one they are unpacked, all of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.left = LeftOut()
        self._plain = root.name.lower().endswith(".tar") and not _is_compressed(root)
        self._held: dict[str, bytes] = {}
        self._spool: Spool | None = None
        self._order: dict[str, int] = {}
        self._lock = threading.Lock()
        self._places: dict[str, tuple[int, int]] = {}
        self._spent, last = 0, ""
        try:
            with tarfile.open(root, "r:" if self._plain else "r:*") as archive:
                for entry in archive:
                    self._note(archive, entry)
                    last = f"after {entry.name}: "
        except (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
            raise ValueError(f"{last}{error}") from error
        if self._spent > AT_ONCE:
            self._held = {}
        self._names = _members({name: name for name in self._places}, self.left)
        self.files = list(self._names)

    def read(self, index: int) -> bytes:
        name = self._names[self.files[index]]
        start, size = self._places[name]
        if self._plain:
            with self.root.open("rb") as file:
                file.seek(start)
                return file.read(size)
        with self._lock:
            if self._spool is None and name not in self._held:
                self._held = dict(self._unpacked())
        if self._spool is None:
            return self._held[name]
        content = self._spool.read(self._order[name])
        assert isinstance(content, bytes)
        return content

    def unpack(self, memory: int, advance: Callable[[int], None] | None = None) -> None:
        size = sum(self._places[name][1] for name in self._names.values())
        if self._plain or self._spool is not None or size <= max(memory, AT_ONCE):
            return
        places = {name: self._places[name] for name in self._names.values()}
        self._order = {name: n for n, name in enumerate(sorted(places, key=places.__getitem__))}

        def pieces() -> Iterator[bytes]:
            for done, (_, content) in enumerate(self._unpacked(), 1):
                yield content
                if advance is not None:
                    advance(done)

        self._held = {}
        self._spool = spooled(["tar", stamp(self.root)], pieces, size=size, what=str(self.root))
        self.place = self._spool.path.parent

    def stored_size(self, index: int) -> int:
        return self._places[self._names[self.files[index]]][1]

    def _note(self, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        """Note where a member lies, and keep what is read anyhow, as long as it is little."""
        if entry.isdir():
            return
        if not entry.isreg():
            self.left.broken += 1
            return
        self._places[entry.name] = (entry.offset_data, entry.size)
        if not self._plain and self._spent <= AT_ONCE and _is_image(entry.name, suffixes()):
            self._held[entry.name] = _content(archive, entry)
            self._spent += entry.size

    def _unpacked(self) -> Iterator[tuple[str, bytes]]:
        """Yield the names and the bytes of all images, as they follow one another in the archive."""
        wanted = set(self._names.values())
        with tarfile.open(self.root, "r:*") as archive:
            for entry in archive:
                # Of members of one name the last one counts.
                if entry.name in wanted and self._places[entry.name][0] == entry.offset_data:
                    yield entry.name, _content(archive, entry)


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(entry)
    assert file is not None
    return file.read()


def _is_compressed(path: Path) -> bool:
    """Say whether a file that is called .tar is a compressed one."""
    with path.open("rb") as file:
        head = file.read(6)
    return head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ"))


def _members(members: dict[str, Member], left: LeftOut) -> dict[Parts, Member]:
    """Return the images among the members of an archive by their parts, sorted."""
    images = suffixes()
    kept = {}
    for name, member in members.items():
        parts = tuple(
            p for p in PurePosixPath(name.replace("\\", "/")).parts if p not in ("/", ".")
        )
        if not parts:
            continue
        if any(map(_is_sidecar, parts[:-1])):
            left.hidden += _is_image(parts[-1], images)
        elif _takes(parts[-1], left, images, regular=True):
            kept[parts] = member
    return dict(sorted(kept.items(), key=lambda item: item[0]))


def _takes(name: str, left: LeftOut, images: frozenset[str], *, regular: bool) -> bool:
    """Say whether a file is an image to read; if not, count it among what is left out."""
    if name.startswith("."):
        left.hidden += _is_image(name, images) and not name.startswith("._")
    elif not regular:
        left.broken += 1
    elif _is_image(name, images):
        return True
    elif name.lower() not in _SYSTEM:
        left.endings[PurePosixPath(name).suffix.lower() or "without extension"] += 1
    return False


def _hidden_images(folder: str, images: frozenset[str]) -> int:
    """Return how many images lie in a folder that is left out."""
    return sum(
        _is_image(name, images) and not name.startswith("._")
        for _, _, names in os.walk(folder)
        for name in names
    )


def _is_image(name: str, images: frozenset[str]) -> bool:
    return PurePosixPath(name).suffix.lower() in images


def _is_sidecar(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SIDECARS


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
