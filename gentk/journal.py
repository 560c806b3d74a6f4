"""Journals: files to which rows are only ever appended, one JSON object a line, each with a checksum.

    {"step": 1, "loss": 0.5, "checksum": "8 hex digits"}      of the line without its last item

Rows of before there were checksums are read as they are; among rows that have one, a row without is
damaged. Whoever writes has the file alone meanwhile, so that several processes may append to one.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from .files import locked, note, replacing

__all__ = ["append", "read", "rewrite"]

SEAL = re.compile(rb'^(\{.*?)(?:, )?"checksum": "([0-9a-f]{8})"\}$', re.DOTALL)
TAIL = 32
"""The most bytes that a row's checksum and its key take at the end of a line."""

Row = dict[str, Any]
Check = Callable[[Row], object]
Notice = Callable[[str], None]


def append(path: Path, rows: Iterable[Mapping[str, Any]], *, sync: bool = True) -> None:
    """Add rows, all or none; after a line that was cut off, they begin a line of their own.

    Args:
        path: The file, made if need be; its folder is there.
        rows: What to add.
        sync: Whether to wait until they are on the disk.

    Raises:
        OSError: They cannot be written.
    """
    text = b"".join(map(_line, rows))
    with locked(path, "write") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(-1, os.SEEK_END)
            text = text if file.read(1) == b"\n" else b"\n" + text
        try:
            file.write(text)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), size)
            raise


def read(path: Path, notice: Notice = note, check: Check | None = None) -> list[Row]:
    """Return the rows, the oldest first; what cannot be read is passed over, and told of.

    Args:
        path: The file; without one there are no rows.
        notice: Called with a sentence about what was passed over.
        check: Raises `ValueError`, `KeyError` or `TypeError` for what is no row of this journal.

    Raises:
        ValueError: The file holds something else.
        OSError: It cannot be read.
    """
    if not path.exists():
        return []
    with locked(path, "read") as file:
        return [row for row, _ in _rows(path, file, notice, check)]


def rewrite(
    path: Path, keep: Callable[[Row], bool], notice: Notice = note, check: Check | None = None
) -> list[Row]:
    """Drop rows that are not to be kept, and what cannot be read, which is told of; return the kept.

    Args:
        path: The file; without one there are no rows.
        keep: Whether to keep a row.
        notice: Called with a sentence about what was passed over.
        check: As `read`.

    Raises:
        ValueError: The file holds something else, and stays as it is.
        OSError: It cannot be read or written, and stays as it is.
    """
    if not path.exists():
        return []
    with locked(path, "write") as file:
        file.seek(0)
        kept = [(row, line) for row, line in _rows(path, file, notice, check) if keep(row)]
        with replacing(path) as part:
            part.write_bytes(b"".join(line + b"\n" for _, line in kept))
    return [row for row, _ in kept]


def _line(row: Mapping[str, Any]) -> bytes:
    """Return a row as a line."""
    text = json.dumps(row).encode()
    comma = b", " if len(row) else b""
    return text[:-1] + comma + b'"checksum": "%08x"}\n' % zlib.crc32(text)


def _rows(
    path: Path, file: BinaryIO, notice: Notice, check: Check | None
) -> list[tuple[Row, bytes]]:
    """Return what can be read of a journal, each row with its line."""
    rows: list[tuple[Row, bytes]] = []
    dropped, lines, sealed = 0, 0, False
    for line in file.read().split(b"\n"):
        if not line.strip():
            continue
        lines += 1
        try:
            row, has_seal = _row(line)
            if sealed and not has_seal:
                raise ValueError("it has no checksum, and rows before it have")
            if check is not None:
                check(row)
        except (ValueError, KeyError, TypeError, RecursionError):
            dropped += 1
            continue
        sealed = sealed or has_seal
        rows.append((row, line))
    if lines and not rows and not _was_journal(file):
        raise ValueError("no line of it is a JSON object")
    if dropped:
        several = "1 line" if dropped == 1 else f"{dropped} lines"
        notice(
            f"{several} of {path} cannot be read, as writing was cut off or the file is damaged, and "
            f"count{'s' * (dropped == 1)} for nothing"
        )
    return rows


def _was_journal(file: BinaryIO) -> bool:
    """Say whether a file of which nothing can be read was a journal once."""
    file.seek(0)
    return b"{" in file.read(TAIL)


def _row(line: bytes) -> tuple[Row, bool]:
    """Return a line's row without its checksum, and whether it had one; raise `ValueError`."""
    seal = SEAL.match(line)
    if seal is not None:
        text = seal[1] + b"}"
        if zlib.crc32(text) != int(seal[2], 16):
            raise ValueError("its checksum is not that of its content")
    else:
        text = line
        for end in range(max(len(line) - TAIL, 0), len(line)):
            # Its checksum is there and the key is not: it was sealed.
            if b"%08x" % zlib.crc32(line[:end] + b"}") in line[end:]:
                raise ValueError("the key of its checksum is damaged")
    row = json.loads(text)
    if not isinstance(row, dict) or "checksum" in row:
        raise ValueError("it is no JSON object, or its checksum is none")
    return row, seal is not None
