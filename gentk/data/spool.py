"""Spools: encoded images one after another in a file of the cache, so that each can be read by itself.

Row groups of columns and compressed archives can only be read from their beginning. Where their images
are larger than the memory that they may take, they are unpacked once, in order, and kept:

    image 0, image 1, ..., image N - 1, N sizes (int64), N (int64), blake2b-128 of the sizes
"""

from __future__ import annotations

import os
import shutil
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..cache import cache_folder
from ..errors import Busy, DataError
from ..files import cause, clear, hold, note, replacing
from .sizes import in_words

__all__ = ["Spool", "Stored", "spooled", "stamp"]

Stored = bytes | Path | None
"""An encoded image, the file that has it, or neither."""

_FORMAT: Final = 1
_DIGEST: Final = 16
_NAME: Final = "images"


class Spool:
    """Encoded images of a file, any of which may be read, by any number of threads.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        weakref.finalize(self, self._file.close)
        end = self._file.seek(0, os.SEEK_END)
        tail = self._read(max(0, end - _DIGEST - 8), _DIGEST + 8)
        count = int.from_bytes(tail[:8], "little")
        start = end - _DIGEST - 8 - 8 * count
        if start < 0:
            raise ValueError("it is too short")
        sizes = self._read(start, 8 * count)
        if blake2b(sizes, digest_size=_DIGEST).digest() != tail[8:]:
            raise ValueError("its end is damaged")
        self._sizes = np.frombuffer(sizes, dtype="<i8")
        self._ends = np.cumsum(_lengths(self._sizes))
        if (int(self._ends[-1]) if count else 0) != start:
            raise ValueError("its size is another one than it should be")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._sizes)

    def size(self, index: int) -> int | None:
        """Return the size of an image in bytes; None where its file has it, or nothing."""
        size = int(self._sizes[index])
        return size if size >= 0 else None

    def read(self, index: int) -> Stored:
        """Return an encoded image."""
        size = int(self._sizes[index])
        length = size if size >= 0 else -1 - size
        content = self._read(int(self._ends[index]) - length, length)
        if size >= 0:
            return content
        return Path(os.fsdecode(content)) if content else None

    def _read(self, start: int, length: int) -> bytes:
        """Return bytes from a place, whatever other threads read."""
        content = os.pread(self._file.fileno(), length, start)
        while len(content) < length:
            more = os.pread(self._file.fileno(), length - len(content), start + len(content))
            if not more:
                raise OSError(f"{self.path} ends too early")
            content += more
        return content


def spooled(
    key: Sequence[str], pieces: Callable[[], Iterable[Stored]], *, size: int, what: str
) -> Spool:
    """Return the spool under a key, made if it is not there; other processes wait for the one that does.

    Args:
        key: Everything that decides the images.
        pieces: Returns them in order.
        size: Their bytes, all together, to see beforehand whether there is room; 0 if it is not known.
        what: What they are called in messages.

    Raises:
        DataError: There is no room on the disk, or it cannot be written.
    """
    content = "\n".join([str(_FORMAT), *key]).encode("utf-8", "surrogateescape")
    folder = cache_folder() / "unpacked" / blake2b(content, digest_size=16).hexdigest()
    path = folder / _NAME
    while True:
        spool = _opened(path)
        if spool is not None:
            return spool
        try:
            with hold(folder, f"the folder {folder}", "type the command again"):
                clear(folder)
                spool = _opened(path)
                if spool is None:
                    _check_room(folder, size, what)
                    _write(path, pieces())
        except Busy:
            time.sleep(0.2)
        except OSError as error:
            reason, remedy = cause(error)
            raise DataError(
                f"{what} is larger than memory= and cannot be unpacked in {folder} ({reason}): "
                f"{remedy}, set GENTK_CACHE to another folder, or raise memory="
            ) from error


def stamp(file: Path) -> str:
    """Return what tells a file from another one, or from what it was, without reading it."""
    status = file.stat()
    return f"{file.resolve()} {status.st_size} {status.st_mtime_ns}"


def _opened(path: Path) -> Spool | None:
    """Return a spool that is there and whole."""
    try:
        return Spool(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        note(f"what was unpacked in {path} cannot be read ({error}): it is made again")
        path.unlink(missing_ok=True)
        return None


def _check_room(folder: Path, size: int, what: str) -> None:
    """Refuse what does not fit on the disk before anything is written."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{what} is larger than memory= and takes {in_words(size)} unpacked, and {folder} has "
            f"{in_words(free)} free: set GENTK_CACHE to a folder with more room, or raise memory="
        )


def _write(path: Path, pieces: Iterable[Stored]) -> None:
    """Write a spool, whole or not at all."""
    sizes: list[int] = []
    with replacing(path) as part, part.open("wb") as file:
        for piece in pieces:
            if isinstance(piece, bytes):
                file.write(piece)
                sizes.append(len(piece))
            else:
                place = os.fsencode(piece or "")
                file.write(place)
                sizes.append(-1 - len(place))
        table = np.array(sizes, dtype="<i8").tobytes()
        digest = blake2b(table, digest_size=_DIGEST).digest()
        file.write(table + len(sizes).to_bytes(8, "little") + digest)


def _lengths(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bytes that each image takes: those of the name of its file are counted below -1."""
    return np.where(sizes >= 0, sizes, -1 - sizes)
