"""Locks: one owner of a folder, and one process at a time at a file; a dead process holds none.

They are the system's own (`flock`), which end with the process that holds them, however it ends.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

from ..errors import Busy
from .reading import note, open_regular, regular

try:
    import fcntl
except ImportError:  # pragma: no cover - a system without flock
    fcntl = None  # type: ignore[assignment]

__all__ = ["hold", "locked"]

NAME = ".lock"
PATIENCE = 30.0
"""Seconds to wait for a file: others have it for milliseconds."""

_held: dict[tuple[str, int], int] = {}


@contextmanager
def hold(folder: Path, what: str, instead: str) -> Iterator[None]:
    """Own a folder until the block ends; a second time in the same thread is the first.

    The lock is the file `.lock` in it, which says who holds it and is removed at the end; folders that
    were made for it and are empty then are removed too.

    Args:
        folder: The folder, made if need be.
        what: What it is to people, such as `the run folder runs/a`.
        instead: What they may type if it is taken.

    Raises:
        Busy: Another process, or another thread of this one, owns it.
        OSError: The lock cannot be written.
    """
    key = (str(folder.resolve()), threading.get_ident())
    if key in _held:
        _held[key] += 1
        try:
            yield
        finally:
            _held[key] -= 1
        return
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    handle = _taken(path, what, instead)
    _held[key] = 1
    try:
        yield
    finally:
        del _held[key]
        # Removed while it is held: whoever waits for it sees that it has no name any more.
        with suppress(OSError):
            path.unlink()
        os.close(handle)
        with suppress(OSError):
            for place in new:
                place.rmdir()


def _taken(path: Path, what: str, instead: str) -> int:
    """Take a lock and write down who has it; return its handle."""
    while True:
        with suppress(FileNotFoundError):
            regular(path)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            if not _flock(handle, "write"):
                raise Busy(f"{what} is in use by {_holder(path)}; wait for it, or {instead}")
            if _is(handle, path):
                os.ftruncate(handle, 0)
                os.write(handle, json.dumps(_me()).encode())
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _me() -> dict[str, str | int]:
    return {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _holder(path: Path) -> str:
    """Return who has a lock; between taking it and writing that down nobody is known."""
    for _ in range(20):
        with suppress(OSError, ValueError, KeyError, TypeError):
            who = json.loads(path.read_bytes()[:4096])
            return f"process {int(who['process'])} on {who['host']} (since {who['since']})"
        time.sleep(0.01)
    return "another process"


@contextmanager
def locked(path: Path, purpose: Literal["read", "write"]) -> Iterator[BinaryIO]:
    """Open a file that several processes read and replace, and have it alone while the block lasts.

    Args:
        path: The file; made for `write` if it is not there.
        purpose: `read` is shared with other readers.

    Raises:
        NotRegular: It is no regular file.
        TimeoutError: Others would not let go of it.
        OSError: It cannot be opened.
    """
    until = time.monotonic() + PATIENCE
    while True:
        file = _open(path, purpose)
        try:
            while not _flock(file.fileno(), purpose):
                if time.monotonic() > until:
                    raise TimeoutError(errno.ETIMEDOUT, "another process locks it", str(path))
                time.sleep(0.005)
            # It may have been replaced while this process waited.
            if _is(file.fileno(), path):
                yield file
                return
        finally:
            file.close()


def _open(path: Path, purpose: Literal["read", "write"]) -> BinaryIO:
    if purpose == "read":
        return open_regular(path)
    with suppress(FileNotFoundError):
        regular(path)
    return path.open("ab+")


def _is(handle: int, path: Path) -> bool:
    """Say whether a path still names an open file."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(handle)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _flock(handle: int, purpose: Literal["read", "write"]) -> bool:
    """Lock an open file; return whether it is locked. Say so where the system has no locks."""
    if fcntl is None:  # pragma: no cover
        note("this system has no file locks: let no two processes use one folder")
        return True
    how = fcntl.LOCK_EX if purpose == "write" else fcntl.LOCK_SH
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            note("this disk has no file locks: let no two processes use one folder")
            return True
        raise
    return True
