"""Comparison: figures of several runs side by side, with the spread of their seeds.

    mean +- sd over the seeds of a recipe; a is better than b if Welch's t-test tells them apart at 95 %

Retraining with another seed moves a figure more than other samples of the same run do, so that nothing
is called better on one seed: each side needs two, and with two the test asks for a wide gap. The best
mean is called best if it differs from every other one, so a false call is no likelier among many runs.

Source: B. L. Welch, The generalization of "Student's" problem when several different population
variances are involved, Biometrika 34 (1947).
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import RunError, UsageError
from ..evaluation.figures import read
from ..evaluation.protocol import (
    OF_THE_SUBJECT,
    differing,
    extractor_of,
    head_of,
    key_of,
    labels_of,
)
from ..runs.folder import RunFolder

__all__ = ["Cell", "Column", "Comparison", "Entry", "compare", "entries_of", "tabulate"]

LEVEL = 0.95
"""Two means are called different at this level."""

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
    """One figure in one extractor's features, measured in one way.

    Attributes:
        metric: The metric.
        figure: Its figure.
        extractor: The extractor; `run` is the encoder of the run that is judged.
        better: Whether `lower` or `higher` is better, or `none`.
        label: In what its protocol differs from those of other columns in this extractor, if at all.
        alike: Whether all of its figures were measured in the same way.
    """

    metric: str
    figure: str
    extractor: str
    better: str
    label: str = ""
    alike: bool = True

    @property
    def title(self) -> str:
        """What it is headed by."""
        return f"{self.figure} ({self.label})" if self.label else self.figure


@dataclass(frozen=True)
class Cell:
    """A figure over the seeds of a group.

    Attributes:
        values: One a seed.
        error: The standard error of the only one, where known.
        trained_on: Whether a run was trained in the judge's features.
        seeds: The seeds.
        alike: Whether all were measured in the same way.
    """

    values: tuple[float, ...]
    error: float | None
    trained_on: bool
    seeds: tuple[int, ...] = ()
    alike: bool = True

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """The standard deviation over seeds; None for one, or if they were measured differently."""
        return statistics.stdev(self.values) if len(self.values) > 1 and self.alike else None

    def differs(self, other: Cell) -> bool:
        """Say whether Welch's t-test tells two means apart, at least two seeds a side."""
        sides = [
            (statistics.variance(c.values) / len(c.values), len(c.values)) for c in (self, other)
        ]
        noise = sum(part for part, _ in sides)
        if noise == 0:
            return False
        freedom = noise**2 / sum(part**2 / (count - 1) for part, count in sides)
        from scipy.special import stdtrit

        bound = float(stdtrit(freedom, (1 + LEVEL) / 2))
        return abs(self.mean - other.mean) > bound * math.sqrt(noise)

    def __str__(self) -> str:
        """Write it as it is shown."""
        mark = " *" if self.trained_on else ""
        if self.deviation is not None:
            return f"{self.mean:.4g} ± {self.deviation:.2g}{mark}"
        if not self.alike:
            return f"{self.mean:.4g} (measured differently){mark}"
        error = "" if self.error is None else f" ± {self.error:.2g} s.e."
        return f"{self.mean:.4g}{error} (1 seed){mark}"


@dataclass(frozen=True)
class Comparison:
    """A table of groups and figures.

    Attributes:
        groups: The rows' names, in order, with the seeds of each that have figures.
        columns: The figures.
        cells: (group, column) -> what stands there.
        protocols: Column -> the protocol that all of its figures share; None where they do not.
        notes: What people should know of the table, a sentence each.
        failed: Group -> seeds whose runs failed.
    """

    groups: dict[str, list[int]]
    columns: list[Column]
    cells: dict[tuple[str, Column], Cell]
    protocols: dict[Column, dict[str, Any] | None]
    notes: list[str]
    failed: dict[str, list[int]] = field(default_factory=dict)

    def verdict(self, column: Column) -> str | None:
        """Say which group is best, or why none is called so.

        None for fewer than two groups, and for a figure of which neither way is better.
        """
        cells = [(group, self.cells.get((group, column))) for group in self.groups]
        have = [(group, cell) for group, cell in cells if cell is not None]
        if len(have) < 2 or column.better not in ("lower", "higher"):
            return None
        reason = _withheld(column, [cell for _, cell in have])
        if reason is not None:
            return reason
        have.sort(key=lambda pair: pair[1].mean, reverse=column.better == "higher")
        (name, best), others = have[0], have[1:]
        for other, cell in others:
            if not best.differs(cell):
                return f"no winner: {name} and {other} are within the noise"
        failed = any(self.failed.values())
        return f"best: {name}" + (", of the runs that did not fail" if failed else "")


def _withheld(column: Column, cells: Sequence[Cell]) -> str | None:
    """Say why no winner is looked for, if so."""
    if not column.alike:
        return "no winner is called: measured differently"
    if any(cell.trained_on for cell in cells):
        return "no judge: a run was trained in these features"
    if any(cell.deviation is None for cell in cells):
        return "no winner is called on one seed"
    if not all(math.isfinite(value) for cell in cells for value in cell.values):
        return "no winner is called: a figure is not finite"
    return None


def compare(folders: Sequence[str], *, mixed: bool = False) -> Comparison:
    """Compare finished runs by the figures that `gentk evaluate` left in their folders.

    Args:
        folders: The runs'.
        mixed: Compare figures of different protocols too, and say in what they differ.

    Raises:
        RunError: A folder is no finished run, or has no figures.
        UsageError: The runs have no figure measured alike.
    """
    notes: list[str] = []
    return tabulate(entries_of(folders, notes.append), mixed=mixed, notes=notes)


def entries_of(
    folders: Sequence[str], notice: Callable[[str], None] = lambda message: None
) -> list[Entry]:
    """Open runs and their figures; groups are called by what distinguishes their recipes.

    A run counts once, however often it is named, and so do runs of one recipe and one seed.
    """
    records = []
    seen: dict[tuple[Any, ...], str] = {}
    places: dict[Path, str] = {}
    for text in folders:
        places.setdefault(Path(text).resolve(), text)
    for text in places.values():
        folder = RunFolder(Path(text))
        record = folder.read()
        if not record.get("result"):
            raise RunError(f"the run {text} is not finished; type its command again")
        recipe = record["recipe"]
        first = seen.setdefault((record["identity"], recipe["steps"], recipe["minutes"]), text)
        if first != text:
            notice(f"{text} is the run {first} once more (recipe and seed), so it is left away")
            continue
        rows = read(folder.path, record["result"]["steps"], notice)
        if not rows:
            raise RunError(f"the run {text} has no figures yet; type: gentk evaluate {text}")
        records.append((text, record, rows))
    names = _names([record for _, record, _ in records])
    return [
        Entry(name, record["recipe"]["seed"], rows, text)
        for name, (text, record, rows) in zip(names, records, strict=True)
    ]


def tabulate(
    entries: Sequence[Entry],
    *,
    mixed: bool = False,
    notes: Sequence[str] = (),
    failed: Mapping[str, Sequence[int]] | None = None,
) -> Comparison:
    """Put entries into a table, a column for each figure and way of measuring that all of them have.

    Args:
        entries: The runs.
        mixed: Show figures too that no way of measuring is common to: the latest of each run.
        notes: What people should know besides.
        failed: Group -> seeds whose runs failed.

    Raises:
        UsageError: There is no such figure.
    """
    latest = [{key_of(row): row for row in entry.figures} for entry in entries]
    shared = [key for key in latest[0] if all(key in rows for rows in latest)] if latest else []
    picks: list[list[Mapping[str, Any] | None]] = [[rows[k] for rows in latest] for k in shared]
    shown = {head_of(latest[0][key]) for key in shared}
    unlike = _unlike(entries, shown)
    if mixed:
        by_head = [{head_of(row): row for row in entry.figures} for entry in entries]
        heads = dict.fromkeys(head for rows in by_head for head in rows if head not in shown)
        picks += [[rows.get(head) for rows in by_head] for head in heads]
    if entries and not picks:
        why = f" ({'; '.join(unlike)})" if unlike else ""
        raise UsageError(
            f"the runs have no figure that was measured alike{why}; type gentk evaluate for each of "
            "them with the same options, or add --mixed"
        )
    groups: dict[str, list[int]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(entry.seed)
    for group in failed or {}:
        groups.setdefault(group, [])
    columns = _columns(picks)
    cells: dict[tuple[str, Column], Cell] = {}
    for column, rows in zip(columns, picks, strict=True):
        for group in groups:
            pairs = zip(entries, rows, strict=True)
            own = [(e.seed, row) for e, row in pairs if e.group == group and row is not None]
            if own:
                cells[group, column] = _cell(own)
    protocols = {
        column: _protocol(next(row for row in rows if row is not None)) if column.alike else None
        for column, rows in zip(columns, picks, strict=True)
    }
    kept = {group: list(seeds) for group, seeds in (failed or {}).items()}
    return Comparison(groups, columns, cells, protocols, [*notes, *unlike], kept)


def _columns(picks: Sequence[Sequence[Mapping[str, Any] | None]]) -> list[Column]:
    """Name the columns; those of one extractor are called by what distinguishes their protocols."""
    have = [[row for row in rows if row is not None] for rows in picks]
    firsts = [rows[0] for rows in have]
    labels = [""] * len(firsts)
    alike = [len(set(map(key_of, rows))) == 1 for rows in have]
    for extractor in dict.fromkeys(map(extractor_of, firsts)):
        places = [p for p, row in enumerate(firsts) if alike[p] and extractor_of(row) == extractor]
        for place, label in zip(places, labels_of([firsts[p] for p in places]), strict=True):
            labels[place] = label
    return [
        Column(
            row["metric"],
            row["figure"],
            extractor_of(row),
            row["better"],
            label,
            same,
        )
        for row, label, same in zip(firsts, labels, alike, strict=True)
    ]


def _unlike(entries: Sequence[Entry], shown: set[str]) -> list[str]:
    """Say in what figures of one name differ of which no way of measuring is common to all runs."""
    by_head: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        for head, row in {head_of(row): row for row in entry.figures}.items():
            by_head.setdefault(head, []).append(row)
    notes = []
    for head, rows in by_head.items():
        found = differing(rows)
        if found and head not in shown:
            notes.append(f"{rows[0]['figure']} was measured differently, {', '.join(found)}")
    return notes


def _cell(rows: Sequence[tuple[int, Mapping[str, Any]]]) -> Cell:
    return Cell(
        tuple(row["value"] for _, row in rows),
        rows[0][1]["error"] if len(rows) == 1 else None,
        any(row["trained_on"] for _, row in rows),
        tuple(seed for seed, _ in rows),
        len({key_of(row) for _, row in rows}) == 1,
    )


def _protocol(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the protocol of a figure without what was judged."""
    return {name: value for name, value in row["protocol"].items() if name not in OF_THE_SUBJECT}


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
