"""Comparison: figures of several runs side by side, with the spread of their seeds.

    mean +- sd over the seeds of a recipe; a is better than b if |mean_a - mean_b| > 2 hypot(sd_a, sd_b)

Retraining with another seed moves a figure more than other samples of the same run do, so that nothing
is called better on one seed, nor within twice the deviation of the difference of two runs.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RunError, UsageError
from .figures import read
from .folder import RunFolder
from .protocol import differing, key_of

__all__ = ["Cell", "Column", "Comparison", "Entry", "compare", "entries_of", "tabulate"]

PASSING = frozenset({"seed", "out", "device", "threads", "observer", "summary"})
"""Keys of a recipe in which runs of one group may differ."""


@dataclass(frozen=True)
class Entry:
    """One run's figures.

    Attributes:
        group: What it is shown as: runs of one group are seeds of one recipe.
        seed: Its seed.
        figures: Its figures with their protocols, the latest last.
        folder: Where it is.
    """

    group: str
    seed: int
    figures: Sequence[Mapping[str, Any]]
    folder: str


@dataclass(frozen=True)
class Column:
    """One figure in one extractor's features."""

    metric: str
    figure: str
    extractor: str
    better: str


@dataclass(frozen=True)
class Cell:
    """A figure over the seeds of a group.

    Attributes:
        values: One a seed.
        error: The standard error of the only one, where known.
        trained_on: Whether a run was trained in the judge's features.
    """

    values: tuple[float, ...]
    error: float | None
    trained_on: bool

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """The standard deviation over seeds; None for one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def __str__(self) -> str:
        """Write it as it is shown."""
        mark = " *" if self.trained_on else ""
        if self.deviation is not None:
            return f"{self.mean:.4g} ± {self.deviation:.2g}{mark}"
        error = "" if self.error is None else f" ± {self.error:.2g} s.e."
        return f"{self.mean:.4g}{error} (1 seed){mark}"


@dataclass(frozen=True)
class Comparison:
    """A table of groups and figures.

    Attributes:
        groups: The rows' names, in order, with the seeds of each.
        columns: The figures.
        cells: (group, column) -> what stands there.
        protocol: What all figures of a column share, of the first.
        notes: What people should know of the table, a sentence each.
    """

    groups: dict[str, list[int]]
    columns: list[Column]
    cells: dict[tuple[str, Column], Cell]
    protocol: dict[str, Any]
    notes: list[str]

    def verdict(self, column: Column) -> str | None:
        """Say which group is best, or why none is called so; None for fewer than two groups."""
        cells = [(group, self.cells.get((group, column))) for group in self.groups]
        have = [(group, cell) for group, cell in cells if cell is not None]
        if len(have) < 2:
            return None
        if any(cell.trained_on for _, cell in have):
            return "no judge: a run was trained in these features"
        have.sort(key=lambda pair: pair[1].mean, reverse=column.better == "higher")
        (name, best), others = have[0], have[1:]
        if any(cell.deviation is None for _, cell in have):
            return "no winner is called on one seed"
        for other, cell in others:
            noise = 2 * math.hypot(best.deviation or 0.0, cell.deviation or 0.0)
            if abs(best.mean - cell.mean) <= noise:
                return f"no winner: {name} and {other} are within the noise"
        return f"best: {name}"


def compare(folders: Sequence[str], *, mixed: bool = False) -> Comparison:
    """Compare finished runs by the figures that `gentk evaluate` left in their folders.

    Args:
        folders: The runs'.
        mixed: Compare figures of different protocols too, and say in what they differ.

    Raises:
        RunError: A folder is no finished run, or has no figures.
        UsageError: The runs have no figure measured alike.
    """
    return tabulate(entries_of(folders), mixed=mixed)


def entries_of(folders: Sequence[str]) -> list[Entry]:
    """Open runs and their figures; groups are called by what distinguishes their recipes."""
    records = []
    for text in dict.fromkeys(folders):
        folder = RunFolder(Path(text))
        record = folder.read()
        if not record.get("result"):
            raise RunError(f"the run {text} is not finished; type its command again")
        rows = read(folder.path, record["result"]["steps"])
        if not rows:
            raise RunError(f"the run {text} has no figures yet; type: gentk evaluate {text}")
        records.append((text, record, rows))
    names = _names([record for _, record, _ in records])
    return [
        Entry(name, record["recipe"]["seed"], rows, text)
        for name, (text, record, rows) in zip(names, records, strict=True)
    ]


def tabulate(entries: Sequence[Entry], *, mixed: bool = False) -> Comparison:
    """Put entries into a table: figures that all of them have, measured alike.

    Raises:
        UsageError: There is no such figure.
    """
    kind = _head if mixed else key_of
    latest = [{kind(row): row for row in entry.figures} for entry in entries]
    shared = [key for key in latest[0] if mixed or all(key in rows for rows in latest)]
    if mixed:
        shared = list(dict.fromkeys(key for rows in latest for key in rows))
    unlike = _unlike(entries, {_head(latest[0][key]) for key in shared if key in latest[0]}, mixed)
    if not shared:
        why = f" ({'; '.join(unlike)})" if unlike else ""
        raise UsageError(
            f"the runs have no figure that was measured alike{why}; type gentk evaluate for each of "
            "them with the same options, or add --mixed"
        )
    groups: dict[str, list[int]] = {}
    columns: dict[str, Column] = {}
    cells: dict[tuple[str, Column], list[Mapping[str, Any]]] = {}
    for entry, rows in zip(entries, latest, strict=True):
        groups.setdefault(entry.group, []).append(entry.seed)
        for key in shared:
            if key in rows:
                row = rows[key]
                names = (row["metric"], row["figure"], row["extractor"], row["better"])
                column = columns.setdefault(key, Column(*names))
                cells.setdefault((entry.group, column), []).append(row)
    first = next(row for rows in latest for key, row in rows.items() if key in shared)
    return Comparison(
        groups,
        [columns[key] for key in shared if key in columns],
        {place: _cell(rows) for place, rows in cells.items()},
        dict(first["protocol"]),
        unlike,
    )


def _unlike(entries: Sequence[Entry], shown: set[str], mixed: bool) -> list[str]:
    """Say in what figures of one name differ, of those that are not shown or are shown mixed."""
    by_head: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        for head, row in {_head(row): row for row in entry.figures}.items():
            by_head.setdefault(head, []).append(row)
    notes = []
    for head, rows in by_head.items():
        found = differing(rows)
        if len(rows) > 1 and found and (mixed or head not in shown):
            notes.append(f"{rows[0]['figure']} was measured differently, {', '.join(found)}")
    return notes


def _cell(rows: Sequence[Mapping[str, Any]]) -> Cell:
    return Cell(
        tuple(row["value"] for row in rows),
        rows[0]["error"] if len(rows) == 1 else None,
        any(row["trained_on"] for row in rows),
    )


def _head(row: Mapping[str, Any]) -> str:
    """Return a figure's name in its extractor, whatever the protocol."""
    return json.dumps([row["metric"], row["figure"], row["extractor"]])


def _names(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a name for each record: its recipe's, and the keys in which the recipes differ."""
    tables = [
        {key: json.dumps(value) for key, value in record["recipe"].items() if key not in PASSING}
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
