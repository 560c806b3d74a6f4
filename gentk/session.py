"""The session: components that a running Python offers itself, beside those that are installed.

What is registered here goes by a name of its own until Python ends. What is given without a name, as in
`gentk.run(generator=G)`, is written `object:QUALNAME-DIGEST`, and a registry has it while it is lent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from .plugins import Provided
from .selection import Selection
from .spec import Component

if TYPE_CHECKING:
    from .recipe import Recipe

__all__ = ["OBJECT", "SESSION", "add", "as_recorded", "missing_object", "objects_of", "rows"]

OBJECT: Final = "object"
"""The name under which objects stand in recipes."""

SESSION: Final = "this session"
"""What stands in the place of a distribution."""

_registered: dict[tuple[str, str], Provided] = {}


def add(component: Component, target: Callable[..., Any]) -> None:
    """Offer a component until Python ends, instead of an earlier one of the same name."""
    key = (component.kind, component.name)
    _registered[key] = Provided(component, SESSION, "0", target)


def rows() -> list[Provided]:
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


def objects_of(r: Recipe, kind: str) -> list[str]:
    """Return what all objects of a kind go by in a recipe, those of its phases included."""
    texts = [text for part in (r, *r.phase.values()) for text in _texts(getattr(part, kind, None))]
    mine = [text for text in texts if text.startswith(f"{OBJECT}:")]
    return [str(Selection.parse(text).argument) for text in mine]


def as_recorded(kind: str, recorded: Iterable[str], given: Iterable[str]) -> str:
    """Return what to give where a run was made with objects that go by something else.

    Args:
        kind: The kind.
        recorded: What the run's objects go by.
        given: What those go by that are given.
    """
    theirs = set(given)
    classes = {key.rpartition("-")[0] for key in theirs}
    alike = [key.rpartition("-") for key in recorded if key not in theirs]
    said = [f"{kind}=gentk.own(..., name={name!r})" for head, _, name in alike if head in classes]
    other = "give one of the same class, settings, shapes and name"
    return f"{other}, or say that it is the same: {' and '.join(said)}" if said else other


def _texts(value: object) -> list[str]:
    several = value if isinstance(value, list | tuple) else (value,)
    return [one for one in several if isinstance(one, str)]
