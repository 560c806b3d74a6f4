"""Wording: the command line's sentences, as Python says them.

Errors are written once, for whoever types a command. A verb of Python answers with the same sentence in
which `--batch 64` is `batch=64` and `type` is `write`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from .errors import GentkError
from .selection import Selection
from .session import OBJECT

__all__ = ["in_python", "spoken"]

P = ParamSpec("P")
T = TypeVar("T")

VALUE = "|".join(
    (
        """"[^"]*"|'[^']*'""",
        r"-?\d[\d.,]*(?:e-?\d+)?(?<![.,])",
        r"[A-Z]+(?:=[A-Z]+)?\b",
        r"(?!out\b)[a-z][\w-]*(?= or |$)",
        r"[\w./-]*\w[:=,][^\s;)]*[^\s;),.]",
        r"[\w.~-]*/[\w./-]*\w|[\w-]+\.[a-z]+\b",
    )
)
"""What stands behind an option as its value: a quoted text, number, placeholder, component or path."""

NUMBER = re.compile(r"-?[\d.]+(?:e-?\d+)?")
OTHERS = r"(?: or (?!more\b|less\b|fewer\b)[a-z][\w-]*(?=$| or |;|,))+"
"""Further components that may stand there."""

OPTION = re.compile(rf"(?<![\w-])--([a-z][a-z-]*)(?: ({VALUE})({OTHERS})?)?")
COUNT = re.compile(r"(?<![\w-])-n (?=\d)")
COUNTED = re.compile(r"(?<![\w-])-n(?![\w-])")
AGAIN = re.compile(r"\btype (?:the|its|the same) command(?: again)?\b")
SHELL = re.compile(r"\b(?:type|type in a shell):? ((?:gentk|pip|ls) (?:(?!, or --)[^;])*)")
"""What is typed in a shell also by those who write Python: it stays as it is."""

TYPE = re.compile(r"\btype (?=[\w'\"=])")


def spoken(text: str, **renamed: str) -> str:
    """Return a sentence of the command line as one of Python.

    Args:
        text: The sentence.
        renamed: Option -> the keyword argument that it is, where that has another name.
    """

    def keyword(match: re.Match[str]) -> str:
        key, value = match[1].replace("-", "_"), match[2]
        key = renamed.get(key, key)
        if value is None:
            return f"{key}="
        if key == "over":
            varied, _, level = value.partition("=")
            return f"over={{{varied!r}: [{level if level.isupper() else repr(level)}]}}"
        if value.strip("'\"").startswith(f"{OBJECT}:"):
            options = Selection.parse(value.strip("'\"")).options
            return (
                f"{key}=gentk.own({', '.join(['...', *(f'{k}={v}' for k, v in options.items())])})"
            )
        plain = value[0] in "'\"" or value.isupper() or NUMBER.fullmatch(value)
        others = (match[3] or "").split(" or ")[1:]
        values = [value if plain else repr(value), *map(repr, others)]
        return f"{key}={' or '.join(values)}"

    said = ""
    # Every other part is a command, which the pattern has found.
    for place, part in enumerate(SHELL.split(AGAIN.sub("call it again", text))):
        if place % 2:
            said += f"type in a shell: {part}"
        else:
            counted = COUNTED.sub("count", COUNT.sub("count=", part))
            said += TYPE.sub("write ", OPTION.sub(keyword, counted))
    return said


def in_python(**renamed: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a verb's errors speak Python; `renamed` is as in `spoken`."""

    def decorated(verb: Callable[P, T]) -> Callable[P, T]:
        @wraps(verb)
        def called(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return verb(*args, **kwargs)
            except GentkError as error:
                if error.args and isinstance(error.args[0], str):
                    error.args = (spoken(error.args[0], **renamed), *error.args[1:])
                raise

        return called

    return decorated
