"""Edited: what third parties' parts do now, beside what they did when a run was made.

A recipe names its parts, and versions tell those of a distribution. A class in a notebook, or in a
plugin that is being written, is edited under one name and one version: a run records the code of each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from ..code import code_of
from ..errors import GentkError
from ..recipe import Resolved
from ..registry import Registry
from ..selection import Selection
from .composing import selections

__all__ = ["changed", "code_by_part", "codes", "edited"]

WATCHES = frozenset({"observer"})
"""Kinds that change nothing of what is trained."""


def codes(resolved: Resolved, registry: Registry) -> dict[str, str]:
    """Return the code of each part of a recipe that is a third party's and decides what is trained."""
    parts = [(kind, text) for kind, text in selections(resolved) if kind not in WATCHES]
    return code_by_part(parts, registry)


def code_by_part(parts: Iterable[tuple[str, str]], registry: Registry) -> dict[str, str]:
    """Return for each part of a third party which Python compiled it, and a digest of its code.

    Args:
        parts: Kinds and selections; what they wrap is a part too.
        registry: Where names are looked up.
    """
    found: dict[str, str] = {}
    for kind, text in _wrapped(parts, registry):
        # What is not installed any more has no code: what it made is there all the same.
        with suppress(GentkError, KeyError):
            code = code_of(registry.written(kind, text))
            if code:
                bare = Selection.parse(text)
                name = str(Selection(bare.name, bare.argument, {}))
                found[f"{kind} {name!r}"] = f"{sys.implementation.cache_tag} {code}"
    return found


def changed(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the parts whose code is another than it was.

    Code that another Python compiled cannot be compared, and counts as the same.
    """
    python = f"{sys.implementation.cache_tag} "
    return [
        name
        for name, code in now.items()
        if then.get(name, code) != code and then[name].startswith(python)
    ]


def edited(
    record: Mapping[str, Any], resolved: Resolved, registry: Registry, *, finished: bool
) -> str | None:
    """Tell that parts were edited since a run was finished, or since it began."""
    then: Mapping[str, str] = record.get("code") or {}
    names = changed(then, codes(resolved, registry))
    if not names:
        return None
    said = f"the code of {' and '.join(names)} has changed since this run"
    if finished:
        return (
            f"{said} was made: {resolved.folder()} holds what the former code did; type another --out "
            "to train with the new one"
        )
    return (
        f"{said} began, and it goes on with the new one: the result will be of neither; type another "
        "--out to begin again"
    )


def _wrapped(parts: Iterable[tuple[str, str]], registry: Registry) -> Iterator[tuple[str, str]]:
    """Yield parts, and those that they wrap."""
    for kind, text in parts:
        yield kind, text
        with suppress(GentkError):
            selection = registry.check(kind, text)
            inner = registry.find(kind, selection.name).component.wraps
            if inner is not None and selection.argument is not None:
                yield inner, selection.argument
