"""The session: components that a running Python offers itself, beside those that are installed.

What is registered here goes by a name of its own until Python ends. What is given without a name, as in
`gentk.run(generator=G)`, is written `object:QUALNAME-DIGEST`, and a registry has it while it is lent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .plugins import Provided
from .spec import Component

__all__ = ["OBJECT", "SESSION", "add", "missing_object", "rows"]

OBJECT: Final = "object"
"""The name under which objects stand in recipes."""

SESSION: Final = "this session"
"""What stands in the place of a distribution."""

_registered: dict[tuple[str, str], tuple[Provided, Callable[..., Any]]] = {}


def add(component: Component, target: Callable[..., Any]) -> None:
    """Offer a component until Python ends, instead of an earlier one of the same name."""
    key = (component.kind, component.name)
    _registered[key] = (Provided(component, SESSION, "0"), target)


def rows() -> list[tuple[Provided, Callable[..., Any]]]:
    """Return what is registered, each with its class."""
    return list(_registered.values())


def missing_object(kind: str, argument: str | None) -> str:
    """Return the sentence about an object that a recipe names and nobody gave."""
    whose, _, _ = (argument or "").rpartition("-")
    return (
        f"{kind} {argument!r} is an object of Python, and nobody gave it; give it again with "
        f"gentk.run(..., {kind}=...), or gentk.load(FOLDER, {kind}=...) for a run that there is: it is "
        f"of {whose}"
    )
