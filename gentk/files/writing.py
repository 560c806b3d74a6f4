"""Writing: a file or a folder takes its name when it is whole and on the disk, or never.

    name.part -> written -> synced -> renamed -> folder synced

A kill or a full disk at any point leaves the old content or the new one; what a killed process left
under another name is cleared by the next owner of the folder.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .reading import regular

__all__ = ["cause", "clear", "replacing", "replacing_folder", "vacant", "write_bytes"]

_count = itertools.count()

HOST = hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
"""This machine, in the names of what is being written."""

PART = re.compile(r"\..*\.(\w+)-(\d+)-\d+\.part")
"""The names of what is being written: host and process."""

DAY = 86_400
"""Seconds after which nothing is being written any more."""

MANY = 64
"""From so many files on, the whole disk is synced once and not every file."""

CAUSES = {
    errno.ENOSPC: ("the disk is full", "make room"),
    errno.EDQUOT: ("the disk quota is used up", "make room"),
    errno.EFBIG: ("the file is larger than allowed", "make room or raise that limit (ulimit -f)"),
    errno.EACCES: ("permission denied", "allow writing there"),
    errno.EPERM: ("permission denied", "allow writing there"),
    errno.EROFS: ("the disk is read-only", "make it writable"),
    errno.ENOENT: ("the folder is gone: something else removed it", "let nothing else write there"),
    errno.EMFILE: ("too many files are open", "raise that limit (ulimit -n)"),
    errno.EIO: ("the disk fails", "look after the disk"),
}


def cause(error: Exception) -> tuple[str, str]:
    """Return why something could not be written, and what to do about it.

    Args:
        error: An `OSError`, or another library's error that quotes one (`os error 28`).
    """
    quoted = re.search(r"os error (\d+)", str(error))
    number = int(quoted[1]) if quoted else getattr(error, "errno", None)
    if number in CAUSES:
        return CAUSES[number]
    text = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
    return text[:1].lower() + text[1:], "remove that cause"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name to write a file to; it takes the place of `path` when the block has ended well.

    Args:
        path: The file; its folder is there.

    Raises:
        NotRegular: What is there is no file, such as a device.
        OSError: It cannot be written; the old content is as it was.
    """
    with suppress(FileNotFoundError):
        regular(path)
    part = _part(path)
    try:
        yield part
        _sync(part)
        os.replace(part, path)
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give the name of a new folder to write to; it takes the place of `path` as `replacing` does.

    A link is followed. A folder that is there and empty stays, and is filled: a shell may stand in it,
    or a disk be mounted there. A kill between those renames leaves it filled in part.
    """
    path = Path(os.path.realpath(path))
    filled = path.is_dir() and vacant(path)
    part, old = _part(path / "new" if filled else path), _part(path)
    try:
        part.mkdir(parents=True)
        yield part
        files = [file for file in part.rglob("*") if file.is_file()]
        if len(files) < MANY:
            for file in files:
                _sync(file)
        elif hasattr(os, "sync"):
            os.sync()
        _sync(part)
        if filled:
            _fill(path, part)
        else:
            _exchange(path, part, old)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _fill(folder: Path, part: Path) -> None:
    """Move what a folder holds into another one, all of it or nothing."""
    moved: list[Path] = []
    try:
        for child in sorted(part.iterdir()):
            os.replace(child, folder / child.name)
            moved.append(folder / child.name)
        _sync(folder)
    except BaseException:
        for child in moved:
            os.replace(child, part / child.name)
        raise


def _exchange(path: Path, part: Path, old: Path) -> None:
    """Give a folder the place of another one, which gets the name `old`."""
    there = path.exists()
    if there:
        os.replace(path, old)
    try:
        os.replace(part, path)
    except BaseException:
        if there:
            os.replace(old, path)
        raise
    _sync(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as part:
        part.write_bytes(content)


def vacant(path: Path) -> bool:
    """Say whether a folder can be written there: nothing is, or an empty folder.

    What killed processes left half-written in it is cleared, if that is all there is.
    """
    if not path.is_dir():
        return not path.exists()
    if all(PART.fullmatch(entry.name) for entry in path.iterdir()):
        clear(path)
    return not any(path.iterdir())


def clear(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder; what is being written stays."""
    for part in folder.glob(".*.part") if folder.is_dir() else ():
        if _is_being_written(part):
            continue
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    """Return a name in the same folder that nobody else writes to; short enough for any system."""
    return path.with_name(f".{path.name[:40]}.{HOST}-{os.getpid()}-{next(_count)}.part")


def _is_being_written(part: Path) -> bool:
    """Say whether the process that writes under a name may be alive: of another host, for a day."""
    who = PART.fullmatch(part.name)
    if who is None:
        return False
    if who[1] != HOST:
        with suppress(OSError):
            return time.time() - part.stat().st_mtime < DAY
        return False
    try:
        os.kill(int(who[2]), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk; not every system knows folders'."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)
