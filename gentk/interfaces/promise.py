"""Promises: what the methods of a component return, checked wherever a class of anybody's returns it.

An interface says it once, beside the method: `@promises(images)`. Every class that derives from it has
its own version of the method checked, so that what is wrong is told by the name of the class that is
wrong, and not by whoever is given it. A check looks at types, names and shapes, never at values: no step
waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache, wraps
from inspect import get_annotations, isfunction
from types import UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from torch import Tensor

from ..errors import Incompatible

__all__ = ["Check", "Promising", "described", "promises"]

F = TypeVar("F", bound=Callable[..., Any])

Check = Callable[[Any, Any, tuple[Any, ...]], tuple[str, str] | None]
"""Component, what a method returned, what it was given -> what is wrong with it and what is right."""


def promises(check: Check) -> Callable[[F], F]:
    """Return a decorator of an interface's method: what this and all overriding ones return.

    Args:
        check: Says what is wrong; `gentk.interfaces.returned` has those that there are.
    """

    def decorated(method: F) -> F:
        return _kept(method.__name__, method, check)

    return decorated


class Promising:
    """The base of all interfaces whose methods promise something."""

    _kind: ClassVar[str] = "component"

    @property
    def _title(self) -> str:
        """What a sentence calls it."""
        return f"{self._kind} {type(self).__name__}"

    def __init_subclass__(cls, **options: Any) -> None:
        """Have what a class overrides keep the promise of what it overrides."""
        super().__init_subclass__(**options)
        for name, method in list(vars(cls).items()):
            if not isfunction(method) or hasattr(method, "_promise"):
                continue
            theirs = (vars(base).get(name) for base in cls.__mro__[1:])
            check = next(filter(None, (getattr(own, "_promise", None) for own in theirs)), None)
            if check is not None:
                setattr(cls, name, _kept(name, method, check))

    def refuse_unfinished(self) -> None:
        """Refuse a component whose class left out what its interface declares; asked once it is built.

        Raises:
            Incompatible: An attribute is not set, or is none of the values there are.
        """
        kind: Any = type(self)
        for name, choices in _declared(kind).items():
            if not hasattr(self, name):
                raise Incompatible(
                    f"{self._title} has no {name}; set it in the class, or by self.{name} = ... in "
                    "its __init__"
                )
            value = getattr(self, name)
            if choices and repr(value) not in map(repr, choices):
                known = " or ".join(map(repr, choices))
                raise Incompatible(f"{self._title} has {name}={value!r}; write {known}")


def described(value: object) -> str:
    """Return what a value is called in a sentence, with the shape of a tensor."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    if value is None:
        return "None"
    if isinstance(value, Mapping) and value:
        return f"a dict of {', '.join(map(repr, value))}"[:80]
    if isinstance(value, list | tuple) and value:
        kinds = dict.fromkeys(type(one).__name__ for one in value)
        return f"a {type(value).__name__} of {len(value)} ({', '.join(kinds)})"
    return f"{type(value).__name__} {str(value)[:40]!r}"


def _kept(name: str, method: F, check: Check) -> F:
    """Return a method, an attribute of that name, that looks at what it returns."""

    @wraps(method)
    def kept(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # Of an error in the method this frame is no part.
        result = method(self, *args, **kwargs)
        # What a class gets from its base by super() is its own affair: it may be half done.
        if getattr(type(self), name, None) is kept:
            fault = check(self, result, args)
            if fault is not None:
                raise Incompatible(f"{self._title} returns {fault[0]} from {name}(); {fault[1]}")
        return result

    kept._promise = check  # type: ignore[attr-defined]
    return kept  # type: ignore[return-value]


@cache
def _declared(kind: type[Any]) -> dict[str, tuple[Any, ...]]:
    """Return the attributes that gentk's own bases of a class declare and either leave open or give a
    choice of values: name -> the values, () for any.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for base in kind.__mro__:
        if base.__module__.split(".")[0] != "gentk":
            continue
        for name in get_annotations(base):
            choices = tuple(_choices(_annotation(base, name)))
            if choices or not any(name in vars(each) for each in base.__mro__):
                found.setdefault(name, choices)
    return found


def _annotation(base: type, name: str) -> Any:
    """Return the type of an attribute; None of one that only a type checker knows."""
    own = type(base.__name__, (), {"__annotations__": {name: get_annotations(base)[name]}})
    try:
        return get_type_hints(own, vars(sys.modules[base.__module__]))[name]
    except NameError:
        return None


def _choices(annotation: Any) -> Iterator[Any]:
    """Yield the values of a literal type, None among them where it may be that; of others nothing."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        yield from parts
    elif origin is ClassVar:
        yield from _choices(parts[0])
    elif origin in (Union, UnionType):
        rest = [part for part in parts if part is not type(None)]
        if all(get_origin(part) is Literal for part in rest):
            yield from (choice for part in rest for choice in _choices(part))
            yield from (None,) * (len(rest) < len(parts))
