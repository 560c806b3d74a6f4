"""Code: what tells a third party's class from what it was before an edit.

    digest = BLAKE2b-8(bytecode and constants of all functions that are reached)

Versions tell gentk's own code and that of other libraries; a class in a notebook, or in a plugin that is
being written, has one version and is another every minute. Comments, docstrings and line numbers do not
count.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property, partial
from types import CodeType, FunctionType, ModuleType

from .first_party import FIRST_PARTY
from .spec import PROJECT

__all__ = ["code_of"]

OURS = frozenset({PROJECT, "torch", *(name.replace("-", "_") for name in FIRST_PARTY)})
"""Packages whose code is known by its version."""

PLAIN = (type(None), bool, int, float, complex, str, bytes)

ABOUT = frozenset({"__doc__", "__module__", "__qualname__", "__firstlineno__", "__annotations__"})
"""What a class says of its text, not of what it does."""


def code_of(subject: object, names: Collection[str] | None = None) -> str:
    """Return 16 hex digits that change with the code of a part; empty if there is none but gentk's.

    Reached are functions, classes and constants of the part's own package or script, by their names:
    what another library does, and what is looked up by a name that is put together, is not seen.

    Args:
        subject: A component, its class, or a function; of a component that gentk makes of an object or a
            function (its `subject`), that.
        names: Of its methods, those from which on; by default all.
    """
    given = getattr(subject, "subject", subject)
    if any(_functions(given)):
        reached = _Reached({_root(given.__module__)})
        reached.value("", given, None)
        return reached.digest()
    kind = given if isinstance(given, type) else type(given)
    roots = {_root(kind.__module__)} if _is_theirs(kind.__module__) else set()
    written = [one for one in kind.__mro__ if _root(one.__module__) in roots]
    reached = _Reached(roots)
    for name in sorted({key for one in written for key in vars(one)} if names is None else names):
        reached.attribute(kind, name)
    return reached.digest()


def _root(module: str | None) -> str:
    return str(module).partition(".")[0]


def _is_theirs(module: str) -> bool:
    return _root(module) not in OURS | (sys.stdlib_module_names - {"__main__"})


class _Reached:
    """The code that has been reached, each function and class once."""

    def __init__(self, roots: Collection[str]) -> None:
        self.roots = roots
        self.rows: dict[str, str] = {}
        self.waiting: list[tuple[FunctionType | type, type | None]] = []

    def digest(self) -> str:
        """Return the digest of what has been reached; empty if that is nothing."""
        # One after another: a chain of calls may be longer than Python's stack.
        while self.waiting:
            part, kind = self.waiting.pop()
            self.whole(part) if isinstance(part, type) else self.function(part, kind)
        if not self.rows:
            return ""
        text = "\n".join([sys.implementation.cache_tag or "", *map(str, sorted(self.rows.items()))])
        return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()

    def attribute(self, kind: type, name: str) -> None:
        """Reach an attribute of a class, wherever it inherits it from."""
        for one in kind.__mro__:
            if name in vars(one) and name not in ABOUT:
                if _root(one.__module__) in self.roots:
                    self.value(f"{one.__module__}.{one.__qualname__}.{name}", vars(one)[name], kind)
                return

    def value(self, label: str, value: object, kind: type | None) -> None:
        """Reach what stands under a name: a function, a class or a constant."""
        self.waiting += [(function, kind) for function in _functions(value)]
        if isinstance(value, type):
            self.waiting.append((value, None))
        text = _constant(value)
        if text is not None:
            self.rows[label] = text

    def whole(self, kind: type) -> None:
        """Reach all that a class of the same package defines."""
        for one in kind.__mro__:
            label = f"class {one.__module__}.{one.__qualname__}"
            if _root(one.__module__) in self.roots and label not in self.rows:
                self.rows[label] = ""
                for name in vars(one):
                    self.attribute(kind, name)

    def function(self, function: FunctionType, kind: type | None) -> None:
        """Reach a function, and what it names of its class, its module and around it."""
        label = f"{function.__module__}.{function.__qualname__}"
        if _root(function.__module__) not in self.roots or label in self.rows:
            return
        self.rows[label] = ""
        given = [function.__defaults__ or (), sorted((function.__kwdefaults__ or {}).items())]
        self.rows[label] = f"{_text(function.__code__, function.__doc__)} {_constant(given)}"
        names = sorted(set(_named(function.__code__)))
        for name in names:
            if kind is not None:
                self.attribute(kind, name)
            if name in function.__globals__:
                self.outside(f"{function.__module__}.{name}", function.__globals__[name], names)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                self.value(f"{label} {name}", cell.cell_contents, None)
            except ValueError:  # It is not filled yet.
                continue

    def outside(self, label: str, value: object, names: Iterable[str]) -> None:
        """Reach what a function finds in its module; of another module what it may look up there."""
        if not isinstance(value, ModuleType):
            self.value(label, value, None)
        elif _root(value.__name__) in self.roots:
            for name in names:
                if name in vars(value) and not isinstance(vars(value)[name], ModuleType):
                    self.value(f"{value.__name__}.{name}", vars(value)[name], None)


def _functions(value: object) -> Iterator[FunctionType]:
    """Yield the functions behind an attribute: of a property, a static or a class method, a partial."""
    if isinstance(value, property):
        parts: tuple[object, ...] = (value.fget, value.fset)
    elif isinstance(value, staticmethod | classmethod):
        parts = (value.__func__,)
    elif isinstance(value, cached_property | partial):
        parts = (value.func,)
    else:
        parts = (value,)
    bare = (inspect.unwrap(part) if callable(part) else part for part in parts)
    yield from (part for part in bare if isinstance(part, FunctionType))


def _named(code: CodeType) -> Iterator[str]:
    """Yield the names that a function and those within it look up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _named(constant)


def _text(code: CodeType, docstring: str | None) -> str:
    """Write what a function does: its instructions, names and constants."""
    constants = [
        _text(one, None) if isinstance(one, CodeType) else str(_constant(one))
        for one in code.co_consts
        if docstring is None or one != docstring
    ]
    return f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {constants}"


def _constant(value: object) -> str | None:
    """Write a constant, sets in an order that is the same in every process; None for other objects."""
    if isinstance(value, set | frozenset):
        return f"set {sorted(str(_constant(one)) for one in value)}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} {[_constant(one) for one in value]}"
    if isinstance(value, dict):
        return f"dict {sorted((str(_constant(k)), str(_constant(v))) for k, v in value.items())}"
    return repr(value) if isinstance(value, PLAIN) else None
