"""Reading: regular files of a bounded size only; what is damaged or passed over is said."""

from __future__ import annotations

import errno
import os
import stat
import warnings
from pathlib import Path
from typing import BinaryIO

from ..errors import FileWarning

__all__ = [
    "Damaged",
    "FileWarning",
    "NotRegular",
    "TooLarge",
    "note",
    "open_regular",
    "read_bytes",
    "regular",
]

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


class Damaged(ValueError):
    """A file does not hold what was written to it; the text says how that shows."""


class NotRegular(OSError):
    """A path is a pipe, a device, a socket or a folder where a file was asked for."""


class TooLarge(OSError):
    """A file is larger than anything of its kind can be."""


def note(message: str) -> None:
    """Tell people of something that was damaged and done without."""
    warnings.warn(message, FileWarning, stacklevel=3)


def regular(path: Path, mode: int | None = None) -> None:
    """Refuse what is no regular file: opening a pipe waits for ever, and a device has no end.

    Raises:
        NotRegular: It is there and is something else.
        FileNotFoundError: It is not there.
    """
    mode = path.stat().st_mode if mode is None else mode
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise NotRegular(errno.EINVAL, f"it is {kind}, not a file", str(path))


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, never waiting for another process.

    Raises:
        NotRegular: It is something else.
        OSError: It cannot be opened.
    """
    regular(path)
    # It may have been exchanged since: opened without waiting and looked at once more.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        regular(path, os.fstat(handle).st_mode)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_bytes(path: Path, limit: int) -> bytes:
    """Return the content of a regular file.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Raises:
        NotRegular: It is something else.
        TooLarge: It has more.
        OSError: It cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise TooLarge(
                errno.EFBIG, f"it has {size:,} bytes, more than the {limit:,} that fit", str(path)
            )
        # A file of /proc says that it has no bytes and may have any number.
        return file.read(limit)
