"""Validation: the faults that a schema finds, as parts of a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

__all__ = ["Fault", "first_fault", "place_of", "wanted_of"]

Context = Mapping[str, Any]

WANTED: dict[str, Callable[[Context], str]] = {
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), lambda _: "a whole number"),
    **dict.fromkeys(("int_parsing_size", "finite_number"), lambda _: "a finite number"),
    **dict.fromkeys(("float_parsing", "float_type"), lambda _: "a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), lambda _: "true or false"),
    "string_type": lambda _: "text",
    **dict.fromkeys(("tuple_type", "list_type"), lambda _: "a list"),
    **dict.fromkeys(("dict_type", "model_type"), lambda _: "a table"),
    "greater_than_equal": lambda context: f"at least {context['ge']}",
    "greater_than": lambda context: f"more than {context['gt']}",
    "less_than_equal": lambda context: f"at most {context['le']}",
    "less_than": lambda context: f"less than {context['lt']}",
    "literal_error": lambda context: f"{context['expected']}".replace("'", ""),
    "too_short": lambda context: f"at least {context['min_length']} of them",
}
"""What a schema calls a fault -> what it takes instead."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one value.

    Attributes:
        key: The value's key, those of a table in a table joined with dots.
        kind: What the schema calls the fault.
        given: The value, as it is shown.
        wanted: What may stand there; None where the schema has no word for that.
        message: What the schema says.
        value: The value itself.
    """

    key: str
    kind: str
    given: str
    wanted: str | None
    message: str
    value: object = None

    def __str__(self) -> str:
        """Say what is wrong in words that go on after the key."""
        if self.kind == "missing":
            return "is missing"
        if self.wanted is not None:
            return f"takes {self.wanted}, not {self.given}"
        return f"cannot be {self.given}: {self.message}"


def first_fault(error: ValidationError) -> Fault:
    """Return the first thing that a schema finds wrong."""
    fault = error.errors()[0]
    message = fault["msg"]
    return Fault(
        ".".join(str(part) for part in place_of(fault)),
        fault["type"],
        repr(fault["input"])[:60],
        wanted_of(fault),
        message[:1].lower() + message[1:],
        fault["input"],
    )


def place_of(fault: ErrorDetails) -> list[str | int]:
    """Return where a fault is, without the schema's names of one type of several."""
    return [part for part in fault["loc"] if not _is_branch(part)]


def wanted_of(fault: ErrorDetails) -> str | None:
    """Return what may stand there instead; None where there is no word for that."""
    wanted = WANTED.get(fault["type"])
    return None if wanted is None else wanted(fault.get("ctx", {}))


def _is_branch(part: str | int) -> bool:
    return isinstance(part, str) and (part in ("str", "int", "float", "bool") or "[" in part)
