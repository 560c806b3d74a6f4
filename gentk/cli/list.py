"""`gentk list`: what can be named, and what is broken."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .completion import complete_names
from .sections import Command

if TYPE_CHECKING:
    from ..library import Listed
    from ..models import Model
    from ..plugins import Broken, Provided
    from ..registry import Registry

__all__ = ["check_kind", "command", "echo_broken"]

ROOMY = 110
"""Columns from which on a list on a terminal names distributions too."""


@click.command(cls=Command, short_help="List components, recipes and models.")
@click.argument("kind", required=False, shell_complete=complete_names)
@click.argument("pattern", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, whose shape is kept.")
def command(kind: str | None, pattern: str | None, as_json: bool) -> None:
    """List components, recipes and models; plugins that are broken go to stderr.

    GENTK_PLUGINS=NAMES loads only these third-party plugins (none if empty), GENTK_BLOCK_PLUGINS=NAMES
    leaves plugins out, GENTK_STRICT_PLUGINS=1 makes a broken one an error; in all commands.

    \b
    gentk list                           everything, by kind
    gentk list extractor                 one kind; also: gentk list recipe
    gentk list model                     trained: gentk sample model:NAME
    gentk list data '*mnist*'            names that match
    gentk list extractor 'timm:vgg*'     what may stand after the colon
    """
    from ..library import LISTED, Library
    from ..models import Models
    from ..plugins import refuse_if_strict
    from ..registry import Registry

    if kind is not None:
        check_kind(kind)
    registry = Registry()
    library, shipped = Library(registry.modules), Models(registry.modules)
    broken = [*registry.broken, *library.broken, *shipped.broken]
    refuse_if_strict(broken)
    recipes = [] if kind not in (None, "recipe") else library.rows(pattern)
    models = [] if kind not in (None, "model") else shipped.rows(pattern)
    if kind in LISTED:
        components = []
    elif kind and pattern and ":" in pattern:
        components = _variants(registry, kind, pattern)
    else:
        components = [(part, part.component.argument) for part in registry.select(kind, pattern)]
    if as_json:
        click.echo(_json(components, recipes, models, broken))
        return
    if kind == "model":
        _echo_models(models)
    else:
        _echo(components, recipes, models, registry if kind else None)
    if not components and not recipes and not models:
        wanted = f"{kind or 'name'} matches {pattern!r}" if pattern else f"{kind} is installed"
        then = "gentk list"
        if kind == "model" and not pattern:
            then = "pip install gentk-models"
        click.echo(f"no {wanted}; type: {then}", err=True)
    echo_broken(broken)


def check_kind(kind: str) -> None:
    """Raise `UnknownName` unless this is a kind, or what else is listed by name."""
    from ..errors import UnknownName, did_you_mean
    from ..library import LISTED, Library
    from ..registry import Registry
    from ..spec import KINDS
    from .meant import kind_meant

    kinds = [*KINDS, *LISTED]
    apart = kind_meant(kind)
    if apart is not None:
        raise UnknownName(f"{kind!r} is a kind and a name; type: gentk list {apart}")
    if kind not in kinds and list(Registry().kinds_of(kind)):
        raise UnknownName(f"{kind!r} is a component, not a kind; type: gentk show {kind}")
    if kind not in kinds:
        name = kind.partition(":")[0]
        for owner in Registry().kinds_of(name):
            raise UnknownName(f"{kind!r} is no kind; type: gentk list {owner} '{kind}'")
        if Path(kind).is_dir():
            raise UnknownName(f"{kind!r} is a folder, not a kind; type: ls {kind}")
        if any(row.name == kind for row in Library(Registry().modules).rows()):
            raise UnknownName(f"{kind!r} is a recipe, not a kind; type: gentk show {kind}")
        hint = did_you_mean(kind, kinds)
        raise UnknownName(f"no kind {kind!r}; {hint}kinds are {', '.join(kinds)}")


def echo_broken(broken: Iterable[Broken], word: str = "broken") -> None:
    """Tell on stderr what is broken, or `word` else, and how to mend it."""
    for row in broken:
        where = f"{row.distribution}[{row.entry}]"
        click.echo(f"{word}: {where} ({row.stage}): {row.error}; {row.mend}", err=True)


def _variants(registry: Registry, kind: str, pattern: str) -> list[tuple[Provided, str | None]]:
    """Return the components of that name, once for each known argument that matches."""
    from ..plugins import muted

    name, _, wanted = pattern.partition(":")
    provided = registry.find(kind, name)
    with muted():
        known = registry.variants(provided)
    return [
        (provided, variant)
        for variant in known
        if fnmatchcase(variant, wanted or "*") or wanted in variant
    ]


def _echo(
    components: list[tuple[Provided, str | None]],
    recipes: list[Listed],
    models: list[Model],
    registry: Registry | None,
) -> None:
    """Print the rows; with a registry also what works without a network, if that is not all."""
    from .table import echo_table

    rows = []
    for provided, argument in components:
        part = provided.component
        name = f"{part.name}:{argument}" if argument else part.name
        offline = "" if registry is None else _offline(provided, argument, registry)
        rows.append((part.kind, name, part.summary, offline, provided.distribution))
    rows += [("recipe", row.name, row.summary, "", row.distribution) for row in recipes]
    rows += [("model", row.name, row.summary, "", row.distribution) for row in models]
    headers = ("kind", "name", "summary", "works offline", "distribution")
    kept = [0, 1, 2, 3, 4]
    if all(row[3] in ("", "yes") for row in rows):
        kept.remove(3)
    brief = registry is None
    if sys.stdout.isatty() and shutil.get_terminal_size().columns < ROOMY:
        kept.remove(4)
    if rows:
        cells = [[row[column] for column in kept] for row in rows]
        echo_table([headers[column] for column in kept], cells, grouped=True, brief=brief)


def _echo_models(models: list[Model]) -> None:
    """Print models with their data, and as they are typed."""
    from ..models import PREFIX
    from .table import echo_table

    rows = [(f"{PREFIX}{row.name}", row.summary, row.data, row.distribution) for row in models]
    if rows:
        echo_table(("name", "summary", "data", "distribution"), rows)


def _offline(provided: Provided, argument: str | None, registry: Registry) -> str:
    """Say which arguments of a component work without a network."""
    from ..errors import GentkError

    try:
        ready = registry.ready(provided)
    except GentkError:
        return "?"
    if ready is None:
        return "yes"
    if argument is not None and argument != provided.component.argument:
        # A model without its tag has the weights that are there under some tag.
        places = [
            where for name, where in ready.items() if argument in (name, name.partition(".")[0])
        ]
        return places[0] if places else "no"
    if provided.component.argument is None:
        return ready.get("", "no")
    by_place: dict[str, list[str]] = {}
    for name, where in ready.items():
        by_place.setdefault(where, []).append(name)
    return "; ".join(f"{where}: {', '.join(names)}" for where, names in by_place.items()) or "no"


def _json(
    components: list[tuple[Provided, str | None]],
    recipes: list[Listed],
    models: list[Model],
    broken: list[Broken],
) -> str:
    """Return the listing as JSON: other programs read it, so its shape is part of the contract."""
    from ..spec import API

    table: dict[str, Any] = {
        "api": API,
        "components": [
            {
                "kind": part.component.kind,
                "name": part.component.name,
                "argument": argument,
                "summary": part.component.summary,
                "distribution": part.distribution,
                "version": part.version,
            }
            for part, argument in components
        ],
        "recipes": [
            {"name": row.name, "summary": row.summary, "distribution": row.distribution}
            for row in recipes
        ],
        "models": [
            {
                "name": row.name,
                "summary": row.summary,
                "distribution": row.distribution,
                "data": row.data,
                "image": row.image,
                "bytes": row.size,
            }
            for row in models
        ],
        "broken": [dict(vars(row)) for row in broken],
    }
    return json.dumps(table, indent=2)
