"""Registering: classes of a script or a notebook under names of their own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar

from ...errors import UsageError, did_you_mean
from ...first_party import FIRST_PARTY
from ...plugins import NAME
from ...session import OBJECT, add
from ...spec import Component
from .given import ALSO, COMPONENTS, serves
from .identity import qualname

__all__ = ["register"]

C = TypeVar("C", bound=type)


def register(kind: str, name: str) -> Callable[[C], C]:
    """Return a decorator that lets a class go by a name until Python ends.

    `@gentk.register("loss", "mine")` above a class lets `gentk.run(loss="mine,lr=0.1")` build it; its
    keyword-only arguments are its options. A run of it is opened, and goes on, once the class is
    registered again. Registering a second class under the name replaces the first.

    Args:
        kind: The kind of component: `loss`, `generator`, ...
        name: Its name: lower-case letters, digits and dashes.

    Raises:
        UsageError: There is no such kind, the name is none or gentk's own, or the class does not derive
            from the interface of its kind.
    """
    if kind not in COMPONENTS:
        known = ", ".join(COMPONENTS)
        raise UsageError(
            f"there is no kind {kind!r}; {did_you_mean(kind, COMPONENTS)}kinds: {known}"
        )
    if not NAME.fullmatch(name) or name == OBJECT:
        raise UsageError(f"{name!r} is no name; write lower-case letters, digits and dashes")
    owner = next((d for d, kinds in FIRST_PARTY.items() if name in kinds.get(kind, ())), None)
    if owner is not None:
        raise UsageError(f"{kind} {name!r} is of {owner}; choose another name, such as 'my-{name}'")
    base = COMPONENTS[kind]

    def registered(cls: C) -> C:
        if not isinstance(cls, type) and kind in ALSO and serves(kind, cls):
            raise UsageError(
                f"{qualname(cls)} is no class to register as {kind} {name!r}; give it to a run as it "
                f"is: {kind}=gentk.own(..., name={name!r})"
            )
        if not (isinstance(cls, type) and issubclass(cls, base)):
            word = getattr(cls, "__name__", "")
            word = word if word.isidentifier() and isinstance(cls, type) else "Mine"
            raise UsageError(
                f"what is registered as {kind} {name!r} derives from gentk.interfaces.{base.__name__}; "
                f"write class {word}({base.__name__})"
            )
        target = f"{cls.__module__}:{cls.__name__}"
        summary = (inspect.getdoc(cls) or "of this session").partition("\n")[0]
        add(Component(kind=kind, name=name, target=target, summary=summary), cls)
        return cls

    return registered
