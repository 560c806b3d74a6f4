"""Journals: files to which rows are only ever appended, one JSON object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["append", "read"]


def append(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows; after a line that was cut off, they begin a line of their own."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            text = text if file.read(1) == b"\n" else "\n" + text
        file.write(text.encode())


def read(path: Path, notice: Callable[[str], None] = lambda message: None) -> list[dict[str, Any]]:
    """Return the rows, the oldest first; a line that was cut off is passed over, and told of.

    Args:
        path: The file; without one there are no rows.
        notice: Called with a sentence about what was passed over.

    Raises:
        ValueError: The file holds something else.
    """
    rows, cut = [], 0
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        if not line.strip():
            continue
        if not line.startswith(b"{"):
            raise ValueError("a line is no JSON object")
        try:
            rows.append(json.loads(line))
        except ValueError:
            cut += 1
    if cut:
        lines = "1 line" if cut == 1 else f"{cut} lines"
        notice(f"{lines} of {path} cannot be read, as writing was cut off, and count for nothing")
    return rows
