"""Blame: whose code an error was raised in that nobody foresaw, by the frames of its traceback.

Looked at from the innermost frame outwards, the frames of libraries are passed over: they were called
with something. The first that is left is gentk's, a third party's plugin's, or in a file of the user's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from types import FrameType

from .first_party import FIRST_PARTY
from .plugins import Provided
from .registry import Registry
from .spec import PROJECT

__all__ = ["Blame", "blame_of"]


THROUGH = "__tracebackhide__"
"""The variable by which a frame says that it only passes a call on, as pytest knows it."""


@dataclass(frozen=True)
class Blame:
    """Where an error was raised that is not gentk's.

    Attributes:
        file: The file.
        line: The line.
        distribution: The plugin's distribution; None for a file of the user's.
        component: The component whose code ran, `extractor 'mine'`, if that is known.
    """

    file: str
    line: int
    distribution: str | None = None
    component: str | None = None

    def __str__(self) -> str:
        """Say whose it is and where."""
        whose = [self.component] if self.component else []
        whose += [self.distribution] if self.distribution else []
        where = f"{self.file}, line {self.line}"
        return f"{' of '.join(whose)} ({where})" if whose else where


def blame_of(error: BaseException) -> Blame | None:
    """Return whose code raised an error; None if that is gentk's, or nobody's that is known."""
    try:
        return _blame(list(_frames(error))[::-1], Registry())
    except (
        Exception
    ):  # Plugins or distributions cannot be looked up, and there is an error to tell of.
        return None


def _blame(frames: list[tuple[FrameType, int]], registry: Registry) -> Blame | None:
    """Return whose the first frame is, the innermost first, that is of no library."""
    owners = _owners(registry)
    libraries: set[str] | None = None
    for number, (frame, line) in enumerate(frames):
        module = str(frame.f_globals.get("__name__", ""))
        if frame.f_locals.get(THROUGH) is True:
            continue
        top = module.partition(".")[0]
        owner = _owner(module, owners)
        if top == PROJECT or owner in FIRST_PARTY:
            return None
        file = frame.f_code.co_filename
        if owner is not None:
            outer = [each for each, _ in frames[number:]]
            return Blame(file, line, owner, _component(outer, owner, registry.select()))
        if libraries is None:
            libraries = {*sys.stdlib_module_names, *metadata.packages_distributions()}
        if top and top not in libraries and not file.startswith("<"):
            return Blame(file, line)
    return None


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """Yield the frames of an error with their lines, the outermost first."""
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _owners(registry: Registry) -> dict[str, str]:
    """Return the modules that plugins are known by, with their distributions."""
    owners = {module: distribution for distribution, module in registry.modules}
    for provided in registry.select():
        owners.setdefault(provided.component.target.partition(":")[0], provided.distribution)
    return owners


def _owner(module: str, owners: dict[str, str]) -> str | None:
    """Return the distribution whose modules a module is the most like, from its first name on."""
    shared = {known: _shared(module, known) for known in owners}
    best = max(shared, key=lambda known: shared[known], default=None)
    return owners[best] if best is not None and shared[best] else None


def _shared(one: str, other: str) -> int:
    """Return how many names two modules share from the first on."""
    count = 0
    for left, right in zip(one.split("."), other.split("."), strict=False):
        if left != right:
            break
        count += 1
    return count


def _component(frames: list[FrameType], distribution: str, provided: list[Provided]) -> str | None:
    """Return the component whose object or class the innermost of some frames belongs to."""
    targets = {
        row.component.target: f"{row.component.kind} {row.component.name!r}"
        for row in provided
        if row.distribution == distribution
    }
    for frame in frames:
        with suppress(Exception):  # What an object says of itself is a third party's.
            own = frame.f_locals.get("self", frame.f_locals.get("cls"))
            kind = own if isinstance(own, type) else type(own)
            names = [f"{each.__module__}:{each.__qualname__}" for each in kind.__mro__]
            return next(targets[name] for name in names if name in targets)
    return None
