"""Plugins: find entry points, load their modules, collect their components.

Four stages, four chances to fail, and no failure takes anything else down: a broken plugin is a `Broken`
record that `gentk list` and `gentk doctor` show, and every other plugin works on.

    find      what is installed declares an entry point (`gentk.installed`)
    load      the entry point's module is imported
    collect   its hook is called
    check     each component it returned is looked at

gentk's own parts come in the same way: each room that offers some is an entry point of the core's.

What cannot be survived from inside a process is a plugin that ends it (`os._exit`, a crash of compiled
code) or never returns; GENTK_BLOCK_PLUGINS leaves such a one out.
"""

from __future__ import annotations

import io
import os
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib import metadata
from types import ModuleType
from typing import Any

import pluggy

from .errors import GentkError
from .installed import (
    BLOCK_VARIABLE,
    ONLY_VARIABLE,
    STRICT_VARIABLE,
    Origin,
    Unreadable,
    Wanted,
    installed,
    strict,
)
from .remedy import AGAIN, remedy_of, upgrade
from .spec import API, KINDS, PROJECT, Component, Hooks
from .version import DISTRIBUTION, __version__

__all__ = [
    "NAME",
    "Broken",
    "Discovery",
    "Loaded",
    "Manager",
    "Provided",
    "discover",
    "muted",
    "reason_of",
    "refuse_if_strict",
]

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TEXTS = ("kind", "name", "target", "summary")
OPTIONAL_TEXTS = ("argument", "variants", "hint", "ready")
TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
NEWER = ": upgrade gentk"
LONGEST = 300
"""Characters of a reason that are shown."""


@dataclass(frozen=True)
class Provided:
    """A component together with the distribution that offers it.

    Attributes:
        component: The component.
        distribution: Who offers it.
        version: In which version.
        built_by: Its class, where that need not be imported: of what a running Python offers.
    """

    component: Component
    distribution: str
    version: str
    built_by: Callable[..., Any] | None = field(default=None, compare=False, repr=False)

    def remedy(self, error: BaseException | None = None) -> str:
        """Return what to type where its target does not import, or is not what it has to be.

        Args:
            error: What importing it raised, if it did.
        """
        part, module = self.component, self.component.target.partition(":")[0]
        if self.distribution == DISTRIBUTION:
            return AGAIN
        lacks = None if error is None else remedy_of(error, self.distribution, module)
        own = lacks is not None and DISTRIBUTION in lacks  # Its author's hint is of other things.
        return (None if own else part.hint) or lacks or upgrade(self.distribution)


@dataclass(frozen=True)
class Broken:
    """A plugin, or one of its components, that cannot be used or does what it must not.

    Attributes:
        distribution: The distribution's name.
        entry: The entry point's name.
        stage: Where it failed: `find` (metadata), `load` (import), `collect` (the hook) or `check` (a
            component); of recipes `recipe`, of targets that `gentk doctor` imports `import`.
        error: What happened, in one line.
        mend: What the user can do about it.
    """

    distribution: str
    entry: str
    stage: str
    error: str
    mend: str


@dataclass(frozen=True)
class Loaded:
    """A plugin whose hook answered, and the seconds that took, the import of its module included."""

    distribution: str
    entry: str
    module: str
    seconds: float


@dataclass
class Discovery:
    """What was found: components, the modules they came from, what is broken, what took how long."""

    provided: list[Provided] = field(default_factory=list)
    modules: list[tuple[str, str]] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    loaded: list[Loaded] = field(default_factory=list)

    def fail(self, origin: Origin, stage: str, error: str, mend: str | None = None) -> None:
        """Record a failure with what the user can do about it."""
        if mend is None:
            mend = _upgrade(origin)
        self.broken.append(Broken(origin.distribution, origin.entry, stage, error, mend))


def discover(own: Collection[str] = ()) -> Discovery:
    """Find, load and collect what every installed distribution offers, the core's own parts first.

    What plugins print meanwhile does not reach stdout.

    Args:
        own: gentk's own distributions: those that GENTK_PLUGINS need not name.
    """
    discovery = Discovery()
    manager = Manager(PROJECT)
    manager.add_hookspecs(Hooks)
    wanted = Wanted(own, DISTRIBUTION)
    rows = installed()
    with muted() as printed:
        for origin, entry in sorted(rows, key=lambda row: row[0].distribution != DISTRIBUTION):
            if not wanted.takes(origin):
                continue
            mark = printed.tell()
            _take(discovery, manager, origin, entry)
            if text := " ".join(printed.getvalue()[mark:].split()):
                discovery.fail(
                    origin, "load", f"it prints when it is imported: {_short(text, 60)!r}"
                )
    if all(origin.distribution != DISTRIBUTION for origin, _ in rows):
        error = "its own parts are not registered: it is not installed, or only half"
        discovery.fail(Origin(DISTRIBUTION, __version__, "?"), "find", error)
    if wanted.core_blocked:
        error = f"{BLOCK_VARIABLE} names it, and gentk cannot do without its own parts"
        mend = f"take it out of {BLOCK_VARIABLE}"
        discovery.fail(Origin(DISTRIBUTION, __version__, "?"), "find", error, mend)
    for name in wanted.absent():
        error = f"{ONLY_VARIABLE} names it, and no such plugin is installed"
        mend = f"pip install {name}, or unset {ONLY_VARIABLE}"
        discovery.fail(Origin(name, "?", name), "find", error, mend)
    return discovery


class Manager(pluggy.PluginManager):
    """pluggy's manager, which looks at what carries its marker and at nothing else of a module.

    What else stands in a module is none of gentk's business; looking at all of it with `inspect`
    takes as long as importing a small plugin.
    """

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """Return the options of a hook implementation, None if it is none."""
        marked = hasattr(vars(plugin).get(name), f"{self.project_name}_impl")
        return super().parse_hookimpl_opts(plugin, name) if marked else None


@contextmanager
def muted() -> Iterator[io.StringIO]:
    """Keep stdout for gentk: what Python prints meanwhile is yielded, all else goes to stderr."""
    printed = io.StringIO()
    kept = None
    try:
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
    except (AttributeError, OSError, ValueError):
        pass  # There is no stdout to keep, or no stderr to write to.
    try:
        with redirect_stdout(printed):
            yield printed
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def refuse_if_strict(broken: Iterable[Broken]) -> None:
    """Raise `GentkError` if something is broken and GENTK_STRICT_PLUGINS makes that an error."""
    rows = list(broken)
    if not rows or not strict():
        return
    first = rows[0]
    more = f" (and {len(rows) - 1} more: gentk doctor)" if len(rows) > 1 else ""
    raise GentkError(
        f"plugin {first.distribution}[{first.entry}] is broken ({first.stage}: {first.error}){more}; "
        f"{first.mend}, or unset {STRICT_VARIABLE} to go on without it"
    )


def reason_of(error: BaseException) -> str:
    """Return an error as one line that is not too long, whatever its own text does."""
    try:
        text = " ".join(f"{type(error).__name__}: {error}".split())
    except Exception:  # A third party's __str__.
        text = type(error).__name__
    return _short(text, LONGEST)


def _upgrade(origin: Origin, *others: str) -> str:
    """Return how to get another version of a plugin, and of `others`, or to do without it."""
    return _or_without(origin, upgrade(origin.distribution, *others))


def _or_without(origin: Origin, mend: str) -> str:
    """Say, after what mends a plugin, how to leave it out; nobody can do without the core."""
    if origin.distribution == DISTRIBUTION:
        return mend
    return f"{mend}, or {BLOCK_VARIABLE}={origin.entry} to leave it out"


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}..."


def _take(
    discovery: Discovery,
    manager: pluggy.PluginManager,
    origin: Origin,
    entry: metadata.EntryPoint | Unreadable,
) -> None:
    """Load and collect one plugin."""
    if isinstance(entry, Unreadable):
        mend = f"pip install --force-reinstall {origin.distribution}, or pip uninstall it"
        reason = f"its entry points cannot be read ({reason_of(entry.error)})"
        discovery.fail(origin, "find", reason, mend)
        return
    begin = time.perf_counter()
    module = _load(discovery, origin, entry)
    if module is not None and _collect(discovery, manager, module, origin):
        seconds = time.perf_counter() - begin
        discovery.loaded.append(Loaded(origin.distribution, origin.entry, module.__name__, seconds))


def _load(discovery: Discovery, origin: Origin, entry: metadata.EntryPoint) -> ModuleType | None:
    """Import an entry point's module, or record why that failed."""
    try:
        module = entry.load()
        if not isinstance(module, ModuleType):
            raise TypeError(f"entry point {entry.value!r} is not a module")
        if getattr(module, "__file__", None) is None and hasattr(module, "__path__"):
            # What uninstalling leaves of a package's folder that holds something else.
            text = f"package {entry.value!r} has no __init__.py"
            raise ModuleNotFoundError(text, name=entry.value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a plugin must not end `gentk list`.
        module_name = entry.value.partition(":")[0].strip()
        mend = remedy_of(error, origin.distribution, module_name)
        discovery.fail(origin, "load", reason_of(error), mend)
        return None
    return module


def _collect(
    discovery: Discovery, manager: pluggy.PluginManager, module: ModuleType, origin: Origin
) -> bool:
    """Call one module's hook, keep the components that are well formed; say whether it answered."""
    try:
        parts = _call(manager, module)
        faults = [_fault(part) for part in parts]
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        newer = isinstance(error, TypeError) and "Component.__init__()" in str(error)
        mend = _upgrade(origin, DISTRIBUTION) if newer else None
        discovery.fail(origin, "collect", reason_of(error), mend)
        return False
    discovery.modules.append((origin.distribution, module.__name__))
    seen: set[tuple[str, str]] = set()
    for part, fault in zip(parts, faults, strict=True):
        if fault:
            newest = _or_without(origin, f"pip install --upgrade {DISTRIBUTION}")
            mend = newest if fault.endswith(NEWER) else None
            discovery.fail(origin, "check", fault, mend)
        elif (part.kind, part.name) in seen:
            discovery.fail(origin, "check", f"{part.kind} {part.name!r} is declared twice")
        else:
            seen.add((part.kind, part.name))
            discovery.provided.append(Provided(part, origin.distribution, origin.version))
    return True


def _call(manager: pluggy.PluginManager, module: ModuleType) -> list[Component]:
    """Return what a module's hook returns.

    The manager holds one plugin at a time, so that one that raises does not hide the others.
    """
    try:
        manager.register(module)
        lists = manager.hook.gentk_components()
    finally:
        if manager.is_registered(module):
            manager.unregister(module)
    if not lists:
        raise TypeError("the module has no @hookimpl gentk_components that returns a list")
    return [part for parts in lists for part in parts]


def _fault(component: object) -> str | None:
    """Say what is wrong with a component record, or None."""
    if not isinstance(component, Component):
        return f"a {type(component).__name__} is not a gentk.spec.Component"
    where = f"component {component.name!r}"
    mistyped = [name for name in TEXTS if not isinstance(getattr(component, name), str)]
    mistyped += [n for n in OPTIONAL_TEXTS if not isinstance(getattr(component, n), str | None)]
    if not isinstance(component.files, tuple) or not all(
        isinstance(ending, str) for ending in component.files
    ):
        mistyped.append("files")
    if mistyped or not isinstance(component.api, int):
        return f"{where}: {(mistyped or ['api'])[0]} has the wrong type"
    named = (component.target, component.variants, component.ready)
    targets = [target for target in named if target is not None]
    faults = {
        f"{where} wants contract {component.api}, this gentk has {API}{NEWER}": component.api > API,
        f"{where} wants contract {component.api}, this gentk has {API}": component.api < 1,
        f"{where} has the unknown kind {component.kind!r}; kinds: {', '.join(KINDS)}": (
            component.kind not in KINDS
        ),
        f"{where}: names are lower-case letters, digits and dashes": (
            not NAME.fullmatch(component.name)
        ),
        f"{where}: a summary is one line": "\n" in component.summary,
        f"{where}: a target is of the form 'module:attribute'": (
            not all(TARGET.fullmatch(target) for target in targets)
        ),
    }
    return next((fault for fault, holds in faults.items() if holds), None)
