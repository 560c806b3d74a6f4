"""Files: written whole or not at all, sealed with a checksum, read only if they are what they seem."""

from __future__ import annotations

from .lock import hold, locked
from .reading import (
    Damaged,
    FileWarning,
    NotRegular,
    TooLarge,
    note,
    open_regular,
    read_bytes,
    regular,
)
from .seal import is_sealed, pack_document, read_document, seal_tensors, write_document
from .writing import cause, clear, replacing, replacing_folder, vacant, write_bytes

__all__ = [
    "Damaged",
    "FileWarning",
    "NotRegular",
    "TooLarge",
    "cause",
    "clear",
    "hold",
    "is_sealed",
    "locked",
    "note",
    "open_regular",
    "pack_document",
    "read_bytes",
    "read_document",
    "regular",
    "replacing",
    "replacing_folder",
    "seal_tensors",
    "vacant",
    "write_bytes",
    "write_document",
]
