"""Facts: what a run's record says of it, as texts for a model card or a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..recipe import Recipe
from ..runs.record import recorded_versions
from ..toml import inline_toml

__all__ = [
    "PASSING",
    "data_rows",
    "environment_rows",
    "recipe_lines",
    "recipe_rows",
    "start_of",
]

PASSING: Final = frozenset({"out", "device", "threads", "observer", "summary"})
"""Keys of a recipe that do not decide what is trained."""

Rows = dict[str, str]
"""What something is called -> what is said of it."""


def data_rows(record: Mapping[str, Any]) -> Rows:
    """Return what a run learnt from."""
    data = record["data"]
    classes, damaged = data.get("classes") or {}, data.get("damaged") or []
    shape = " x ".join(map(str, data["shape"]))
    rows = {
        "images": f"{data['count']:,} ({data.get('split', 'train')} split)",
        "shape": f"{shape} (channels, height, width)",
        "classes": f"{len(classes)}: {', '.join(classes)}" if classes else "",
        "damaged": f"{len(damaged)} left out" if damaged else "",
        "notes": "; ".join(map(str, data.get("notes") or [])),
        "fingerprint": data["fingerprint"],
    }
    return {"name": data["name"], **{name: text for name, text in rows.items() if text}}


def start_of(record: Mapping[str, Any]) -> str:
    """Return what a run started from, wherever that lies; nothing if it began at random."""
    origin = record.get("init")
    if not origin:
        return ""
    runs = [
        f"recipe {run['recipe_name']} after {run['steps']:,} steps ({run['identity']})"
        for run in origin.get("runs", ())
    ]
    return " and ".join(runs) or f"weights of fingerprint {origin['fingerprint']}"


def environment_rows(record: Mapping[str, Any]) -> Rows:
    """Return what a run was trained with; an exported model's record knows no machine."""
    machine = {str(key): str(value) for key, value in record.get("machine", {}).items()}
    processes = (record.get("result") or {}).get("processes", 1)
    return {**machine, "processes": f"{processes:,}", **recorded_versions(record)}


def recipe_rows(recipe: Recipe) -> Rows:
    """Return the keys of a recipe that are set and decide something, written as TOML."""
    table = recipe.model_dump(mode="json", exclude=set(PASSING), exclude_none=True)
    return {key: inline_toml(value) for key, value in table.items() if value not in ({}, [])}


def recipe_lines(recipe: Recipe) -> list[str]:
    """Return the same as lines of TOML."""
    return [f"{key} = {text}" for key, text in recipe_rows(recipe).items()]
