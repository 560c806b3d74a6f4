"""Edited: what third parties' parts do now, beside what they did when a run was made.

A recipe names its parts, and versions tell those of a distribution. A class in a notebook, or in a
plugin that is being written, is edited under one name and one version: a run records the code of each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ..code import code_of
from ..errors import GentkError
from ..recipe import Resolved
from ..registry import Registry
from ..selection import Selection
from .composing import selections

__all__ = ["codes", "edited"]

WATCHES = frozenset({"observer"})
"""Kinds that change nothing of what is trained."""


def codes(resolved: Resolved, registry: Registry) -> dict[str, str]:
    """Return for each part of a third party which Python compiled it, and a digest of its code."""
    found: dict[str, str] = {}
    for kind, text in _parts(resolved, registry):
        # What is not installed any more has no code: the run is there all the same.
        with suppress(GentkError, KeyError):
            code = code_of(registry.written(kind, text))
            if code:
                bare = Selection.parse(text)
                name = str(Selection(bare.name, bare.argument, {}))
                found[f"{kind} {name!r}"] = f"{sys.implementation.cache_tag} {code}"
    return found


def edited(
    record: Mapping[str, Any], resolved: Resolved, registry: Registry, *, finished: bool
) -> str | None:
    """Tell that parts were edited since a run was finished, or since it began.

    Code that another Python compiled cannot be compared, and nothing is said of it.
    """
    then: Mapping[str, str] = record.get("code") or {}
    now = codes(resolved, registry)
    python = f"{sys.implementation.cache_tag} "
    names = [
        name
        for name, code in now.items()
        if then.get(name, code) != code and then[name].startswith(python)
    ]
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


def _parts(resolved: Resolved, registry: Registry) -> Iterator[tuple[str, str]]:
    """Yield the parts that decide what is trained, and those that others wrap."""
    for kind, text in selections(resolved):
        if kind in WATCHES:
            continue
        yield kind, text
        with suppress(GentkError):
            selection = registry.check(kind, text)
            inner = registry.find(kind, selection.name).component.wraps
            if inner is not None and selection.argument is not None:
                yield inner, selection.argument
