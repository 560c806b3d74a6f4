"""TOML: read from files of people (recipes, sweep files), bounded in size and in depth; and written."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from .printable import printable

__all__ = ["BadToml", "inline_toml", "parse_toml", "read_toml"]

LARGEST = 2**20
"""The most bytes that a file has."""

DEEPEST = 16
"""The most levels that it has."""

CHAIN = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++\s*+\.\s*+){64}""")
"""Keys of keys of keys, for which reading takes time that grows with the square of their number."""

BARE = re.compile(r"[A-Za-z0-9_-]+")
"""Keys that need no quotes."""


class BadToml(ValueError):
    """A text that is no TOML, or is nested deeper than anything that means something.

    The message goes on after what the text is called: `is not TOML: ...; correct that line`.
    """


def parse_toml(text: str) -> dict[str, Any]:
    """Return the table that a text holds; raise `BadToml`."""
    try:
        if CHAIN.search(text) is not None:
            raise RecursionError
        table = tomllib.loads(text)
        _bounded(table, DEEPEST)
        return table
    except RecursionError:
        raise BadToml("is nested too deeply; write flat keys") from None
    except tomllib.TOMLDecodeError as error:
        raise BadToml(f"is not TOML: {error}; correct that line") from error
    except ValueError as error:
        # What Python says of numbers of thousands of digits, and of dates that there are not.
        raise BadToml(f"holds a value that is none ({error}); correct it") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Return the table that a regular file of at most a mebibyte holds.

    A byte order mark, as some editors write it before UTF-8, is no part of it.

    Raises:
        BadToml: It is no TOML.
        OSError: It cannot be read, or is no regular file.
    """
    from .files import read_bytes  # Listing recipes does without.

    try:
        return parse_toml(read_bytes(path, LARGEST).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadToml("is not text in UTF-8; save it as that") from error


def inline_toml(value: object) -> str:
    """Return a value as TOML on one line, tables inline; keys without a value are left out.

    Characters that would move a terminal's cursor are written as their numbers: `printable`.
    """
    if isinstance(value, dict):
        given = (f"{_key(k)} = {inline_toml(v)}" for k, v in value.items() if v is not None)
        inside = ", ".join(given)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline_toml, value))}]"
    # JSON's strings, finite numbers and booleans are TOML's, once all of them is printable.
    return printable(json.dumps(value, ensure_ascii=False))


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else inline_toml(key)


def _bounded(value: object, left: int) -> None:
    """Raise `RecursionError` for what is nested deeper than anything that means something."""
    if left < 0:
        raise RecursionError
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _bounded(item, left - 1)
