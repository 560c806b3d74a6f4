"""Printable text: what comes from files and names cannot move a terminal's cursor or fake a line."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""Return a text with all that is not printable written as `\uXXXX`.

    Control characters, line ends, marks that turn the direction of writing, and bytes of a file's name
    that are no text are such; letters of all alphabets are not.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _code(character) for character in text)


def _code(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 2**16 else f"\\U{number:08x}"
