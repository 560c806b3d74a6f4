"""Plugins: find entry points, load their modules, collect their components.

Three stages, three chances to fail, and no failure takes anything else down: a broken plugin is a
`Broken` record that `gentk list` and `gentk doctor` show, and every other plugin works on.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata
from types import ModuleType

import pluggy

from . import __version__
from .spec import API, KINDS, PROJECT, Component, Hooks

__all__ = ["BLOCK_VARIABLE", "Broken", "Discovery", "Provided", "discover"]

BLOCK_VARIABLE = "GENTK_BLOCK"
"""Environment variable: entry-point names, separated by commas, that are not loaded."""

CORE = "gentk"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TEXTS = ("kind", "name", "target", "summary")
TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Provided:
    """A component together with the distribution that offers it."""

    component: Component
    distribution: str
    version: str


@dataclass(frozen=True)
class Broken:
    """A plugin, or one of its components, that cannot be used.

    Attributes:
        distribution: The distribution's name.
        entry: The entry point's name.
        stage: Where it failed: `load` (import), `collect` (the hook) or `check` (a component).
        error: What happened, in one line.
        mend: What the user can do about it.
    """

    distribution: str
    entry: str
    stage: str
    error: str
    mend: str


@dataclass
class Discovery:
    """What was found: components, the modules they came from, and what is broken."""

    provided: list[Provided] = field(default_factory=list)
    modules: list[tuple[str, str]] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)


def discover() -> Discovery:
    """Find, load and collect the core's own parts and those of every installed distribution."""
    found = Discovery()
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    _collect(found, manager, importlib.import_module("gentk.builtin"), (CORE, __version__, CORE))
    blocked = set(filter(None, os.environ.get(BLOCK_VARIABLE, "").split(",")))
    for distribution, version, entry in _entry_points():
        if entry.name in blocked:
            continue
        module = _load(found, distribution, entry)
        if module is not None:
            _collect(found, manager, module, (distribution, version, entry.name))
    return found


def _entry_points() -> list[tuple[str, str, metadata.EntryPoint]]:
    """Return (distribution, version, entry point) of the group, sorted, each once."""
    rows: dict[tuple[str, str, str], tuple[str, str, metadata.EntryPoint]] = {}
    for entry in metadata.entry_points(group=PROJECT):
        name = entry.dist.name if entry.dist else "?"
        version = entry.dist.version if entry.dist else "?"
        rows.setdefault((name, entry.name, entry.value), (name, version, entry))
    return [rows[key] for key in sorted(rows)]


def _load(found: Discovery, distribution: str, entry: metadata.EntryPoint) -> ModuleType | None:
    """Import an entry point's module, or record why that failed."""
    try:
        module = entry.load()
        if not isinstance(module, ModuleType):
            raise TypeError(f"entry point {entry.value!r} is not a module")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a plugin must not end `gentk list`.
        _fail(found, distribution, entry.name, "load", error)
        return None
    return module


def _collect(
    found: Discovery,
    manager: pluggy.PluginManager,
    module: ModuleType,
    origin: tuple[str, str, str],
) -> None:
    """Call one module's hook and keep the components that are well formed."""
    distribution, version, entry = origin
    try:
        plugin = manager.register(module, name=f"{distribution}[{entry}]")
        # Call this plugin's implementation alone: one that raises must not hide the others.
        rest = [other for other in manager.get_plugins() if other is not module]
        lists = manager.subset_hook_caller("gentk_components", remove_plugins=rest)()
        components: Iterable[Component] = [part for parts in lists for part in parts]
        if plugin is None or not lists:
            raise TypeError("the module has no @hookimpl gentk_components")
    except (Exception, SystemExit) as error:
        _fail(found, distribution, entry, "collect", error)
        return
    found.modules.append((distribution, module.__name__))
    for component in components:
        fault = _fault(component)
        if fault:
            _fail(found, distribution, entry, "check", TypeError(fault))
        else:
            found.provided.append(Provided(component, distribution, version))


def _fault(component: object) -> str | None:
    """Say what is wrong with a component record, or None."""
    if not isinstance(component, Component):
        return f"{component!r} is not a gentk.spec.Component"
    where = f"component {component.name!r}"
    mistyped = [name for name in TEXTS if not isinstance(getattr(component, name), str)]
    if mistyped or not isinstance(component.api, int):
        return f"{where}: {(mistyped or ['api'])[0]} has the wrong type"
    targets = filter(None, (component.target, component.variants))
    faults = {
        f"{where} wants contract {component.api}, this gentk has {API}: upgrade gentk": (
            component.api > API
        ),
        f"{where} has the unknown kind {component.kind!r}; kinds: {', '.join(KINDS)}": (
            component.kind not in KINDS
        ),
        f"{where}: names are lower-case letters, digits and dashes": (
            not NAME.fullmatch(component.name)
        ),
        f"{where}: a target is of the form 'module:attribute'": (
            not all(TARGET.fullmatch(str(target)) for target in targets)
        ),
    }
    return next((fault for fault, found in faults.items() if found), None)


def _fail(
    found: Discovery, distribution: str, entry: str, stage: str, error: BaseException
) -> None:
    """Record a failure with what the user can do about it."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, ModuleNotFoundError) and error.name:
        mend = f"pip install the missing module {error.name!r}, or pip uninstall {distribution}"
    else:
        mend = f"pip install --upgrade {distribution}, or {BLOCK_VARIABLE}={entry} to leave it out"
    found.broken.append(Broken(distribution, entry, stage, text, mend))
