"""Pages: a declared sweep as Markdown, from its rows alone.

Whatever a page says of values is computed: cells, which claims hold, which rows were tuned, how was
measured, and whether published values say the same. The words around it are the file's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from pydantic import JsonValue

from ..evaluation.measurement import Direction, Measurement
from ..numerals import decimal, typed
from .cell import UNITS, Cell, Reason, cell_of, reasons_of, verdict_of
from .declared import Declared
from .edited import mixed
from .file import ClaimTable, RowTable
from .published import number_of, published_value, shows_published, value_of
from .row import Row
from .shown import Shown
from .trial import Trial, command_of, sweep_command

__all__ = ["claims", "render"]


REMARKS: Mapping[Reason, str] = {
    "measured differently": ", measured differently",
    "trained in": ", in features that a run was trained in",
}
"""What stands behind the numbers of a claim that do not show it themselves."""


@dataclass(frozen=True)
class _Page:
    """A sweep with its rows."""

    declared: Declared
    settled: Mapping[Trial, Row]

    def rows(self, name: str) -> list[Row]:
        """Return what came of the trials of a name, in the order of seeds."""
        own = [(t, row) for t, row in self.settled.items() if t.name == name]
        return [replace(row, seed=trial.seed) for trial, row in own]

    def twins(self, name: str) -> list[str]:
        """Return the other rows whose trials are those of a row."""
        trials = self.declared.sweep.trials
        keys = {t.key for t in trials if t.name == name and t.refused is None}
        return list(dict.fromkeys(t.name for t in trials if t.name != name and t.key in keys))

    def refusal(self, name: str) -> str | None:
        """Return why a row is not made, if it does not fit."""
        own = [t for t in self.declared.sweep.trials if t.name == name]
        return next((t.refused for t in own if t.refused is not None), None)

    def measurements(self, name: str, column: Shown) -> list[tuple[int, Measurement]]:
        """Return the measurements of a cell with their seeds, one a trial."""
        own = [(row.seed, column.of(row.measurements)) for row in self.rows(name)]
        return [(seed, m) for seed, m in own if m is not None]

    def cell(self, name: str, column: Shown) -> Cell | None:
        """Return what stands in a cell, in the unit of its column."""
        measurements = self.measurements(name, column)
        if not measurements:
            return None
        unit = 100 if column.percent else 1
        constant = all(row.features is not None for row in self.rows(name))
        return cell_of([(seed, _times(m, unit)) for seed, m in measurements], constant=constant)

    def direction(self, column: Shown) -> Direction:
        """Return which values of a column are better."""
        rows = self.settled.values()
        return next((m.direction for r in rows if (m := column.of(r.measurements))), "none")


def render(declared: Declared, pictures: Sequence[str] = ()) -> str:
    """Return the page of a sweep.

    Args:
        declared: The sweep.
        pictures: Paths of its pictures, from where the page is.
    """
    page = _Page(declared, declared.sweep.settled())
    file = declared.file
    parts = [f"# {_escaped(file.title)}", file.text.strip(), _table(page)]
    parts += [
        *_refused(page),
        *_failed(page),
        *_edited(page),
        *_unfinished(page),
        "\n".join(map(_escaped, _claims(page))),
        *_tuned(page),
        *_quoted(page),
        _protocols(page),
        _made(page),
    ]
    for path in pictures:
        name = Path(path).stem
        parts += [f"{name}:", f"![{name}]({path})"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _times(measurement: Measurement, unit: int) -> Measurement:
    error = None if measurement.error is None else measurement.error * unit
    return replace(measurement, value=measurement.value * unit, error=error)


def _table(page: _Page) -> str:
    """Return the table of values, and what its marks mean."""
    declared = page.declared
    head = ["run"]
    for column in declared.columns:
        direction = page.direction(column)
        better = f" ({direction} is better)" if direction != "none" else ""
        head.append(f"{column.title}{', %' if column.percent else ''}{better}")
        if shows_published(declared, column):
            head.append("published")
    head += ["images seen", "seeds"]
    lines = [_line(head), "|" + " --- |" * len(head)]
    group = None
    for row in declared.file.row:
        if row.group not in (None, group):
            group = row.group
            lines.append(_line([f"**{group}**", *[""] * (len(head) - 1)]))
        lines.append(_line(_cells(page, row)))
    rows = [m for r in page.settled.values() for m in r.measurements]
    shown = [m for column in declared.columns for m in rows if column.of((m,)) is not None]
    marks = ["*: trained in these features."] if any(m.trained_on for m in shown) else []
    return "\n\n".join(["\n".join(lines), *marks])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(text: str) -> str:
    """Return a text of a file on one line, where it ends no cell and is no HTML."""
    # A backslash before a bar would itself be taken as escaped, and the bar would end the cell.
    text = re.sub(r"(\\*)\|", r"\1\1\|", " ".join(text.splitlines()))
    return text.replace("<", "&lt;")


def _cells(page: _Page, table: RowTable) -> list[str]:
    """Return the cells of a row."""
    declared = page.declared
    rows = page.rows(table.name)
    ended = [row for row in rows if row.failed is None]
    failed = len(rows) - len(ended)
    without = "failed" if failed else "not made yet"
    if table.cited is not None:
        without = "quoted"
    elif page.refusal(table.name) is not None:
        without = "refused"
    images = [int(row.result["images"]) for row in ended if row.result is not None]
    cells = [table.name]
    for number, column in enumerate(declared.columns):
        cell = page.cell(table.name, column)
        if not ended:
            cells.append("" if number else without)
        elif cell is None:
            cells.append("-")
        else:
            cells.append(str(cell) if images else decimal(cell.mean, 4))
        if shows_published(declared, column):
            published = published_value(declared, table, column)
            cells.append("" if published is None else str(published))
    if not images:
        return [*cells, "", ""]
    seen = " to ".join(f"{count:,}" for count in sorted({min(images), max(images)}))
    return [*cells, seen, str(len(ended)) + (f" (+{failed} failed)" if failed else "")]


def claims(declared: Declared) -> list[str]:
    """Return a line for each claim whose rows are there: what values say of it, and published ones."""
    return _claims(_Page(declared, declared.sweep.settled()))


def _claims(page: _Page) -> list[str]:
    lines = (_claim(page, claim) for claim in page.declared.file.claim)
    return [line for line in lines if line]


def _claim(page: _Page, claim: ClaimTable) -> str | None:
    column = page.declared.columns[claim.judge]
    better, worse = page.cell(claim.better, column), page.cell(claim.worse, column)
    if better is None or worse is None:
        return _valueless(page, claim)
    direction = page.direction(column)
    sides = [page.measurements(side, column) for side in (claim.better, claim.worse)]
    pairs = product(*([m for _, m in side] for side in sides))
    alike = all(_alike(one, other) for one, other in pairs)
    edited = mixed(row for side in (claim.better, claim.worse) for row in page.rows(side))
    counts = sorted({len(cell.values) for cell in (better, worse) if not cell.constant} or {1})
    seeds = " and ".join(map(str, counts)) + (" seed" if counts == [1] else " seeds")
    numbers = f"{decimal(better.mean, 4)} against {decimal(worse.mean, 4)}, {seeds}"
    verdict = verdict_of(better, worse, direction, alike=alike and not edited)
    reasons = reasons_of((better, worse), alike=alike)
    numbers += "".join(REMARKS.get(reason, "") for reason in reasons)
    numbers += ", with code that was edited between them" if edited else ""
    return f"- {claim.says}: **{verdict}** ({numbers}){_as_published(page, claim, direction)}."


def _valueless(page: _Page, claim: ClaimTable) -> str | None:
    """Say of a claim whose rows are there that one has no value of its judge."""
    column = page.declared.columns[claim.judge]
    sides = (claim.better, claim.worse)
    if not all(page.rows(side) for side in sides):
        return None
    without = [side for side in sides if page.cell(side, column) is None]
    return f"- {claim.says}: **is not decided** (no {value_of(column)} of {' and '.join(without)})."


def _alike(one: Measurement, other: Measurement) -> bool:
    """Say whether nothing that is known of two measurements makes them unlike."""
    parts, others = one.decisive(), other.decisive()
    marks = (one.protocol.reference.fingerprint, other.protocol.reference.fingerprint)
    known = {key for key in parts.keys() & others if parts[key] and others[key]}
    # The same images may have two names; only their digests tell.
    known -= set() if all(marks) else {"reference split"}
    return all(parts[key] == others[key] for key in known)


def _as_published(page: _Page, claim: ClaimTable, direction: Direction) -> str:
    """Say whether published values bear a claim out, where there are any."""
    declared, column = page.declared, page.declared.columns[claim.judge]
    rows = {row.name: row for row in declared.file.row}
    texts = [published_value(declared, rows[name], column) for name in (claim.better, claim.worse)]
    better, worse = map(number_of, texts)
    if better is None or worse is None or direction == "none":
        return ""
    if better == worse:
        return f"; in the published values it is a tie ({texts[0]})"
    holds = (better < worse) == (direction == "lower")
    told = "holds" if holds else "does not hold"
    return f"; in the published values it {told} ({texts[0]} against {texts[1]})"


def _tuned(page: _Page) -> list[str]:
    """Say which rows were tuned, how, and which were not."""
    declared = page.declared
    if not declared.tunings:
        return []
    file = declared.file
    count = len(next(iter(declared.tunings.values())).settings)
    budget = "".join(f", {_counted(value)} {key}" for key, value in file.budget().items())
    seeds = "seed" if len(file.tries.seeds) == 1 else "seeds"
    column = declared.columns[0]
    lines = [
        f"Settings were chosen by {column.value or column.metric} in {column.extractor} on held-out "
        f"training images, {file.tries_data()}: {count} tries for each row that was tuned{budget}, "
        f"{seeds} {', '.join(map(str, file.tries.seeds))}."
    ]
    for name, tuning in declared.tunings.items():
        told = []
        for index, (setting, mean) in enumerate(zip(tuning.settings, tuning.means, strict=True)):
            words = " ".join(f"{key}={value}" for key, value in setting.items())
            without = "no value" if tuning.failed or tuning.chosen is not None else "not tried yet"
            value = without if mean is None else decimal(mean, 4)
            mark = " (chosen)" if index == tuning.chosen else ""
            told.append(f"`{words}` {value}{mark}")
        twins = page.twins(name)
        same = f"; these are the runs of {' and '.join(twins)}" if twins else ""
        lines.append(f"- {_escaped(name)}: {'; '.join(told)}{_escaped(same)}")
    runs = [row.name for row in file.row if row.is_run]
    rest = [name for name in runs if name not in declared.tunings]
    if rest:
        lines.append(_escaped(f"- not tuned: {'; '.join(rest)}"))
    return ["\n".join([lines[0], "", *lines[1:]])]


def _counted(value: JsonValue) -> str:
    return typed(value) if isinstance(value, float) else f"{value:,}"


def _refused(page: _Page) -> list[str]:
    """Say why rows are not made that do not fit."""
    reasons = {row.name: page.refusal(row.name) for row in page.declared.file.row}
    lines = [f"- {name} is refused: {reason}." for name, reason in reasons.items() if reason]
    return ["\n".join(map(_escaped, lines))] if lines else []


def _failed(page: _Page) -> list[str]:
    """Say why rows have no values."""
    lines = [
        f"- {trial.name}, seed {trial.seed}, failed: {row.failed.rstrip('.')}."
        for trial, row in page.settled.items()
        if row.failed is not None
    ]
    return ["\n".join(map(_escaped, lines))] if lines else []


def _edited(page: _Page) -> list[str]:
    """Say which parts of third parties were edited between rows."""
    parts = mixed(page.settled.values())
    if not parts:
        return []
    return [
        f"The code of {' and '.join(parts)} was edited between rows: not all are of the same code."
    ]


def _unfinished(page: _Page) -> list[str]:
    """Say how much of a sweep is there, if not all of it."""
    declared = page.declared
    tries = declared.tries()
    refused = {trial.name for trial in declared.sweep.trials if trial.refused is not None}
    names = {
        row.name: len(declared.seeds[row.name])
        for row in declared.file.row
        if row.is_run and row.name not in refused
    }
    runs = [trial for trial in page.settled if trial.name in names]
    made, wanted = len(runs) + len(tries.settled()), sum(names.values()) + len(tries.trials)
    if made >= wanted:
        return []
    return [
        f"This page is in progress: {made} of {wanted} runs have been made, tries included; "
        f"`{sweep_command(declared.path)}` makes the rest."
    ]


def _quoted(page: _Page) -> list[str]:
    """Say which rows are those of other pages, and which ones of publications."""
    sources: dict[Path, dict[str, None]] = {}
    for trial in page.declared.sweep.trials:
        if trial.source is not None:
            sources.setdefault(trial.source.file, {})[trial.name] = None
    cited: dict[str, list[str]] = {}
    for row in page.declared.file.row:
        if row.cited is not None:
            cited.setdefault(row.cited, []).append(row.name)
    return [
        *(
            f"These rows are those of [{file.stem}]({_page_of(file, page)}), from the same runs: "
            f"{_escaped('; '.join(rows))}."
            for file, rows in sources.items()
        ),
        *(
            _escaped(f"Quoted and not run here: {'; '.join(rows)} ({text}).")
            for text, rows in cited.items()
        ),
    ]


def _page_of(file: Path, page: _Page) -> str:
    """Return where the page of another sweep file is taken to be: beside it, as this one is."""
    return Path(os.path.relpath(file.with_suffix(".md"), page.declared.path.parent)).as_posix()


def _protocols(page: _Page) -> str:
    """Say how each column was measured: in one sentence, or in one each."""
    ways: dict[str, dict[str, list[str]]] = {}
    for column in page.declared.columns:
        rows = [column.of(row.measurements) for row in page.settled.values()]
        told = dict.fromkeys(m.protocol.sentence() for m in rows if m is not None)
        if told:
            name = column.value or column.metric
            places = ways.setdefault("; or ".join(told), {})
            places.setdefault(column.extractor, []).append(f"`{name}`")
    if not ways:
        return ""
    lines = []
    for way, places in ways.items():
        what = " and ".join(f"{', '.join(names)} in `{place}`" for place, names in places.items())
        lines.append(f"- {what}: {way}.")
    return "\n".join(
        [*lines, "", f"A run is judged by its averaged weights, if it has them. {UNITS}"]
    )


def _made(page: _Page) -> str:
    """Say what made the rows that are not quoted, when, and from which commits."""
    declared = page.declared
    rows = [row for trial, row in page.settled.items() if trial.source is None]
    if not rows:
        return ""
    run = dict(declared.file.run)
    recipe = run.pop("recipe", None)
    common = command_of(None if recipe is None else str(recipe), run)
    dates = sorted({row.date for row in rows})
    commits = sorted({row.commit for row in rows if row.commit is not None})
    from_commits = f", commits {', '.join(commits)}" if commits else ""
    return (
        f"Made by `{sweep_command(declared.path)}` (runs: `{common}` and each row's own keys; rows: "
        f"`{declared.sweep.rows.name}`), {' to '.join(dict.fromkeys((dates[0], dates[-1])))}"
        f"{from_commits}."
    )
