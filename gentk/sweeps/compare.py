"""Runs and models compared: their folders opened, and named by what distinguishes their recipes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..budget import UNITS
from ..errors import RunError
from ..evaluation.record import read
from ..recipe import Recipe
from ..registry import Registry
from ..runs.model import folder_of
from .comparison import Comparison, Entry, tabulate

__all__ = ["compare", "entries_of"]

PASSING = frozenset({"seed", "out", "device", "threads", "observer", "summary"})
"""Keys of a recipe in which runs of one group may differ."""


def compare(
    folders: Sequence[str], *, mixed: bool = False, registry: Registry | None = None
) -> Comparison:
    """Compare finished runs and models by the measurements that `gentk evaluate` left in their folders.

    Args:
        folders: The runs' and models'; `model:NAME` is one of a distribution.
        mixed: Compare figures of different protocols too, and say in what they differ.
        registry: Where the names of models are looked up.

    Raises:
        RunError: A folder is no finished run, or has no measurements.
        UnknownName: No distribution ships a model of that name.
        UsageError: The runs have no metric measured alike.
    """
    notes: list[str] = []
    entries = entries_of(folders, notes.append, Registry.of(registry))
    return tabulate(entries, mixed=mixed, notes=notes)


def entries_of(
    folders: Sequence[str], notice: Callable[[str], None], registry: Registry
) -> list[Entry]:
    """Open runs, models and their measurements; groups are called by what distinguishes their recipes.

    A run counts once, however often it is named, and so do runs of one recipe and one seed.
    """
    records = []
    seen: dict[tuple[Any, ...], str] = {}
    places: dict[Path, str] = {}
    for text in folders:
        places.setdefault(folder_of(text, registry).path.resolve(), text)
    for text in places.values():
        folder = folder_of(text, registry)
        record = folder.read()
        steps = folder.ended(record)
        if steps is None:
            raise RunError(f"the run {text} is not finished; type its command again")
        recipe = record["recipe"]
        first = seen.setdefault((record["identity"], *map(recipe.get, UNITS)), text)
        if first != text:
            notice(f"{text} is the run {first} once more (recipe and seed), so it is dropped")
            continue
        rows = read(folder.path, steps, notice)
        if not rows:
            raise RunError(f"the run {text} has not been judged yet; type: gentk evaluate {text}")
        records.append((text, record, [row.measurement for row in rows]))
    names = _names([record for _, record, _ in records])
    return [
        Entry(name, record["recipe"]["seed"], rows, text)
        for name, (text, record, rows) in zip(names, records, strict=True)
    ]


def _names(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a name for each record: its recipe's, and the keys in which the recipes differ.

    A key that a record is too old to have is its default.
    """
    default = {
        key: field.get_default(call_default_factory=True)
        for key, field in Recipe.model_fields.items()
        if not field.is_required()
    }
    tables = [
        {
            key: json.dumps(value)
            for key, value in {**default, **record["recipe"]}.items()
            if key not in PASSING
        }
        for record in records
    ]
    keys = [key for key in _keys(tables) if len({table.get(key) for table in tables}) > 1]
    recipes = {record["recipe_name"] for record in records}
    names = []
    for record in records:
        parts = [record["recipe_name"]] if len(recipes) > 1 or not keys else []
        parts += [f"{key}={_written(record['recipe'].get(key))}" for key in keys]
        names.append(" ".join(parts))
    return names


def _keys(tables: Iterable[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(key for table in tables for key in table))


def _written(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(_written, value)) or "none"
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True) if value else "none"
    return "none" if value is None else str(value)
