"""The resolved recipe of `gentk run --dry-run`: checked, printed with the origin of each value."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..printable import printable
from ..recipe import Resolved
from ..toml import inline_toml
from .table import echo_table

__all__ = ["echo"]


def echo(resolved: Resolved) -> None:
    """Print a table on a terminal, elsewhere a recipe file: what it prints can be run."""
    table = resolved.recipe.model_dump(mode="json")
    if sys.stdout.isatty():
        rows = [(key, _shown(value), resolved.origins[key]) for key, value in table.items()]
        echo_table(("key", "value", "origin"), [*rows, ("folder", str(resolved.folder()), "")])
        return
    click.echo(f"# {resolved.name}; it would train in {printable(str(resolved.folder()))}")
    for key, value in table.items():
        line = f"# {key} is not set" if value is None else f"{key} = {inline_toml(value)}"
        click.echo(f"{line:<50}  # {resolved.origins[key]}")


def _shown(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return value if isinstance(value, str) else inline_toml(value)
