"""Sizes of memory as people write and read them: `2GB`, `500 MB`."""

from __future__ import annotations

import math
import re
from typing import Final

__all__ = ["bytes_of", "in_words"]

_NAMES: Final = ("bytes", "kB", "MB", "GB", "TB")

_UNITS: Final = {
    "": 2**30,
    **{name: 1000**n for n, name in enumerate(("b", "kb", "mb", "gb", "tb"))},
    **{name: 1024**n for n, name in enumerate(("kib", "mib", "gib", "tib"), start=1)},
}
"""The unit of a size -> its bytes; a number alone is of GiB."""


def bytes_of(size: float | str) -> int | None:
    """Return a size in bytes, written as `500MB`, `2GiB` or a number of GiB; None if it is none."""
    parts = re.fullmatch(r"\s*([0-9.e+-]+)\s*([a-z]*)\s*", str(size).lower())
    if parts is None or parts[2] not in _UNITS:
        return None
    try:
        number = float(parts[1])
    except ValueError:
        return None
    return int(number * _UNITS[parts[2]]) if 0 <= number < math.inf else None


def in_words(size: int) -> str:
    """Return a size with two digits or more and a unit: `7.7 MB`, `154 MB`."""
    power = min(max(len(str(size)) - 1, 0) // 3, len(_NAMES) - 1)
    value = size / 1000**power
    return (
        f"{value:,.0f} {_NAMES[power]}"
        if value >= 10 or not power
        else f"{value:.1f} {_NAMES[power]}"
    )
