"""Numerals: values as people write them, what gentk takes them for, and how it writes its own.

What is understood here is not taken as typed, but offered: a sentence says `type --steps 10000`.
"""

from __future__ import annotations

import re

__all__ = ["NOTHING", "decimal", "minutes_meant", "several_meant", "typed", "whole_meant"]

NOTHING = frozenset({"0", "false", "no", "null", "off"})
"""What people write where they want none."""

GROUPED = re.compile(r"\d{1,3}([,_. ]\d{3})+")
"""A whole number whose thousands are set apart: 1,000."""

WHOLE = re.compile(
    rf"(?P<digits>{GROUPED.pattern}|\d[\d_]*(\.\d+)?(e\+?\d{{1,3}})?)(?P<unit>[kKmM]?)"
)
"""A whole number in any form: 10k, 1,000, 1e3, 64.0."""

SQUARE = re.compile(r"(\d+) ?[xX*+] ?\1")
"""A size that is written as height and width: 64x64."""

SPAN = re.compile(
    r"(?P<number>\d+(\.\d+)?) ?(?P<unit>s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)"
)
"""A length of time."""

MINUTES = {"s": 1 / 60, "m": 1, "h": 60, "d": 24 * 60}
"""A unit's first letter -> its minutes."""

WRITTEN_OUT = 1e7
"""Below it numbers are written without a power of ten."""


def decimal(value: float, digits: int) -> str:
    """Write a number to so many digits; those before the point are written out: 380, not 3.8e+02."""
    text = f"{value:.{digits}g}"
    return f"{float(text):.0f}" if "e+" in text and abs(value) < WRITTEN_OUT else text


def typed(value: float) -> str:
    """Write a number as one types it, and no digit is lost: 1e13, 0.25."""
    short = f"{value:g}"
    text = short if float(short) == value else repr(value)
    return re.sub(r"e([+-])0*", lambda power: "e-" if power[1] == "-" else "e", text)


def whole_meant(value: object) -> int | None:
    """Return the whole number that a value is meant to be, or None."""
    text = str(value).strip()
    square = SQUARE.fullmatch(text)
    if square is not None:
        return int(square[1])
    match = WHOLE.fullmatch(text)
    if match is None:
        return None
    digits = match["digits"]
    if GROUPED.fullmatch(digits):
        digits = re.sub(r"\D", "", digits)
    number = float(digits) * {"": 1, "k": 10**3, "m": 10**6}[match["unit"].lower()]
    return int(number) if number.is_integer() else None


def minutes_meant(value: object) -> str | None:
    """Return the minutes that a length of time is, as they are typed, or None: 2h is 120."""
    match = SPAN.fullmatch(str(value).strip().lower())
    if match is None:
        return None
    return f"{float(match['number']) * MINUTES[match['unit'][0]]:.10g}"


def several_meant(value: object) -> list[str]:
    """Return the values of a list that stands where one value is taken: `1,2`, `[a, b]`, `a|b`."""
    if isinstance(value, list | tuple):
        return [str(each) for each in value]
    parts = [part.strip() for part in re.split(r"[,|]", re.sub(r"^[\[(]|[\])]$", "", str(value)))]
    return parts if len(parts) > 1 and all(parts) else []
