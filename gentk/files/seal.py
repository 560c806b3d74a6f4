"""Seals: a checksum of a whole file, written into it.

    {"checksum": "32 hex digits", ...}       the digest of the file with these digits as zeros

A JSON document has it as its first key, a safetensors file in its header's metadata. One flipped bit
anywhere, the checksum included, shows. Files without one are of before there were seals and are read as
they are; who knows that a file must have one refuses it without.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from .reading import Damaged, open_regular, read_bytes
from .writing import write_bytes

__all__ = ["is_sealed", "pack_document", "read_document", "seal_tensors", "write_document"]

KEY = "checksum"
BLANK = "0" * 32
MARK = re.compile(rb'"checksum": ?"([0-9a-f]{32})"')
DOCUMENT = 2**28
"""The most bytes that a document has."""

HEADER = 100_000_000
"""The most bytes that a header of tensors has: what safetensors itself allows."""

BLOCK = 2**20


def pack_document(content: Mapping[str, object], indent: int | None = None) -> bytes:
    """Return a sealed JSON document."""
    blank = json.dumps({KEY: BLANK, **content}, indent=indent).encode()
    digest = hashlib.blake2b(blank, digest_size=16).hexdigest().encode()
    return blank.replace(BLANK.encode(), digest, 1)


def write_document(path: Path, content: Mapping[str, object], indent: int | None = None) -> None:
    """Write a sealed JSON document whole or not at all; raise `OSError` if that fails."""
    write_bytes(path, pack_document(content, indent))


def read_document(path: Path) -> tuple[dict[str, Any], bool]:
    """Return a JSON document, and whether it had a seal.

    Raises:
        Damaged: The seal does not fit the content, or that is no JSON object.
        OSError: It cannot be read.
    """
    content = read_bytes(path, DOCUMENT)
    place = MARK.search(content[:64])
    if place is not None:
        blank = content[: place.start(1)] + BLANK.encode() + content[place.end(1) :]
        _compare(hashlib.blake2b(blank, digest_size=16), place[1])
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"it is no JSON: {_short(error)}") from error
    if not isinstance(document, dict):
        raise Damaged(f"it is a JSON {type(document).__name__} and no object")
    if place is not None:
        del document[KEY]
    return document, place is not None


def seal_tensors(path: Path) -> None:
    """Seal a safetensors file that was saved with `checksum` of 32 zeros in its metadata."""
    with path.open("r+b") as file:
        header, start = _header(file)
        place = MARK.search(header)
        if place is None:
            raise ValueError(f"{path} was saved without the metadata {KEY!r}")
        digest = _digest(file, start + place.start(1)).hexdigest().encode()
        file.seek(start + place.start(1))
        file.write(digest)


def is_sealed(path: Path) -> bool:
    """Say whether a safetensors file has a seal.

    Raises:
        Damaged: The seal does not fit the content, or it has no header.
        OSError: It cannot be read.
    """
    with open_regular(path) as file:
        header, start = _header(file)
        place = MARK.search(header)
        if place is None:
            return False
        _compare(_digest(file, start + place.start(1)), place[1])
        return True


def _header(file: BinaryIO) -> tuple[bytes, int]:
    """Return the header of a safetensors file and where it begins."""
    file.seek(0)
    size = file.read(8)
    if len(size) < 8:
        raise Damaged("it is cut off in its header")
    (length,) = struct.unpack("<Q", size)
    if length > HEADER:
        raise Damaged(f"its header says that it has {length:,} bytes")
    header = file.read(length)
    if len(header) < length:
        raise Damaged("it is cut off in its header")
    return header, 8


def _digest(file: BinaryIO, place: int) -> hashlib.blake2b:
    """Return the digest of a file whose checksum begins at `place`."""
    file.seek(0)
    digest = hashlib.blake2b(file.read(place), digest_size=16)
    digest.update(BLANK.encode())
    file.seek(place + len(BLANK))
    while block := file.read(BLOCK):
        digest.update(block)
    return digest


def _compare(digest: hashlib.blake2b, written: bytes) -> None:
    if digest.hexdigest().encode() != written:
        raise Damaged("its checksum is not that of its content")


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
