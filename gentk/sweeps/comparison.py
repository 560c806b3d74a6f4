"""Comparison: metrics of several trials side by side, a column a way of measuring.

The best mean is called best if it differs from every other one (`gentk.sweeps.cell`), so a false call is
no likelier among many trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import UsageError
from ..evaluation.measurement import Direction, Measurement, Protocol, differing, labels_of
from ..markup import caption, listing, page, rows_of
from .cell import UNITS, Cell, Reason, cell_of, reasons_of, verdict_of

__all__ = ["ARROWS", "Column", "Comparison", "Entry", "tabulate"]


ARROWS: Mapping[Direction, str] = {
    "lower": "\N{DOWNWARDS ARROW}",
    "higher": "\N{UPWARDS ARROW}",
    "none": "",
}
"""Which values are better, in a heading where there is little room."""


WITHHELD: Mapping[Reason, str] = {
    "measured differently": "no winner is called: measured differently",
    "trained in": "no judge: a run was trained in these features",
    "one seed": "no winner is called on one seed",
    "not finite": "no winner is called: a value is not finite",
}
"""What stands in a winner's place."""


@dataclass(frozen=True)
class Entry:
    """One run's measurements.

    Attributes:
        group: What it is shown as: runs of one group are seeds of one recipe.
        seed: Its seed.
        measurements: Its measurements, the latest last.
        folder: Where it is.
        beside: Whether it only says how to read the others, as real images do: it is in no verdict.
    """

    group: str
    seed: int
    measurements: Sequence[Measurement]
    folder: str
    beside: bool = False


@dataclass(frozen=True)
class Column:
    """One value of a metric in one extractor's features, measured in one way.

    Attributes:
        metric: The metric.
        name: Its value's name.
        extractor: The extractor; `run` is the encoder of the run that is judged.
        direction: Which values are better.
        label: In what its protocol differs from those of other columns in this extractor, if at all.
        alike: Whether all of its values were measured in the same way.
    """

    metric: str
    name: str
    extractor: str
    direction: Direction
    label: str = ""
    alike: bool = True

    @property
    def title(self) -> str:
        """What it is headed by."""
        return f"{self.name} ({self.label})" if self.label else self.name

    @property
    def heading(self) -> str:
        """What it is headed by in a table of its place: its name, and which values are better."""
        known = self.direction != "none"
        return f"{self.name} ({self.direction} is better)" if known else self.name

    @property
    def brief(self) -> str:
        """What it is headed by where there is little room: `ARROWS` say which values are better."""
        return f"{self.name} {ARROWS[self.direction]}".rstrip()

    @property
    def place(self) -> str:
        """Where and how it was measured."""
        own = self.extractor.partition(",")[0] == "run"
        place = f"{self.extractor} (each run's own encoder)" if own else self.extractor
        return f"{place}, {self.label}" if self.label else place


@dataclass(frozen=True)
class Comparison:
    """A table of trials and metrics.

    Attributes:
        groups: The rows' names, in order, with the seeds of each that have measurements.
        columns: The metrics.
        cells: (group, column) -> what stands there.
        protocols: Column -> how all of its values were measured; None where protocols differ.
        notes: What people should know of the table, a sentence each.
        failed: Group -> seeds whose runs failed.
        beside: Groups that take part in no verdict.
    """

    groups: dict[str, list[int]]
    columns: list[Column]
    cells: dict[tuple[str, Column], Cell]
    protocols: dict[Column, Protocol | None]
    notes: list[str]
    failed: dict[str, list[int]] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()

    def verdict(self, column: Column) -> str | None:
        """Say which group is best, or why none is called so.

        None for fewer than two groups, and for a metric of which neither direction is better.
        """
        groups = [group for group in self.groups if group not in self.beside]
        cells = [(group, self.cells.get((group, column))) for group in groups]
        have = [(group, cell) for group, cell in cells if cell is not None]
        if len(have) < 2 or column.direction == "none":
            return None
        reasons = reasons_of([cell for _, cell in have], alike=column.alike)
        if reasons:
            return WITHHELD[reasons[0]]
        have.sort(key=lambda pair: pair[1].mean, reverse=column.direction == "higher")
        (name, best), others = have[0], have[1:]
        for other, cell in others:
            verdict = verdict_of(best, cell, column.direction)
            if verdict != "holds":
                return f"no winner: {name} and {other} are {verdict.removeprefix('is ')}"
        failed = any(self.failed.values())
        return f"best: {name}" + (", of the runs that did not fail" if failed else "")

    def sections(self) -> dict[str, list[Column]]:
        """Return the tables: where and how it was measured -> the columns."""
        sections: dict[str, list[Column]] = {}
        for column in self.columns:
            sections.setdefault(column.place, []).append(column)
        return sections

    def lines(
        self, columns: Sequence[Column], *, brief: bool = False
    ) -> tuple[list[str], list[list[str]]]:
        """Return the headers and the rows of a table.

        Args:
            columns: Those of one section.
            brief: For a terminal, where there is little room.
        """
        rows = []
        for group in self.groups:
            cells = [self.cells.get((group, column)) for column in columns]
            counts = [len(cell.values) for cell in cells if cell is not None]
            most = max(counts, default=0)
            texts = []
            for cell in cells:
                if cell is None:
                    texts.append("-")
                elif brief:
                    texts.append(cell.brief(most))
                else:
                    fewer = 1 < len(cell.values) < most
                    texts.append(f"{cell} ({len(cell.values)} seeds)" if fewer else str(cell))
            failed = len(self.failed.get(group, ()))
            seeds = str(most) + (f" (+{failed} failed)" if failed else "")
            # What a terminal may fold goes behind.
            rows.append([group, seeds, *texts] if brief else [group, *texts, seeds])
        if brief:
            return ["run", "seeds", *(column.brief for column in columns)], rows
        return ["run", *(column.heading for column in columns), "seeds"], rows

    def verdicts(self, columns: Sequence[Column]) -> list[str]:
        """Return what the columns of a table say: which group is best, or why none is called so."""
        told = [(column.name, self.verdict(column)) for column in columns]
        marked = any(
            cell.trained_on for (_, column), cell in self.cells.items() if column in columns
        )
        note = ["*: trained in these features"] if marked else []
        return [*(f"{name}: {verdict}" for name, verdict in told if verdict), *note]

    def ways(self) -> list[str]:
        """Return how the values were measured: a sentence, or one for each way."""
        ways: dict[str, list[str]] = {}
        for column in self.columns:
            protocol = self.protocols[column]
            way = "the runs were measured differently" if protocol is None else protocol.sentence()
            ways.setdefault(way, []).append(column.title)
        if len(ways) == 1:
            return [f"{next(iter(ways))}; {UNITS}"]
        told = [f"{', '.join(dict.fromkeys(titles))}: {way}." for way, titles in ways.items()]
        return [*told, UNITS]

    def __repr__(self) -> str:
        """Say what is compared by what, on one line."""
        titles = ", ".join(dict.fromkeys(column.title for column in self.columns))
        return f"<Comparison of {', '.join(self.groups)} by {titles or 'nothing'}>"

    def __str__(self) -> str:
        """Write it as Markdown."""
        lines = []
        for place, columns in self.sections().items():
            head, rows = self.lines(columns)
            lines += [f"In {place}:", "", f"| {' | '.join(head)} |"]
            lines += ["|" + " --- |" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]
            lines += ["", *(f"- {line}" for line in self.verdicts(columns)), ""]
        return "\n\n".join(["\n".join(lines).rstrip("\n"), *self.ways()])

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        parts = []
        for place, columns in self.sections().items():
            parts += [rows_of(*self.lines(columns), title=f"in {place}")]
            parts += [listing(self.verdicts(columns))]
        return page(*parts, *map(caption, [*self.ways(), *self.notes]))


def tabulate(
    entries: Sequence[Entry],
    *,
    mixed: bool = False,
    notes: Sequence[str] = (),
    failed: Mapping[str, Sequence[int]] | None = None,
) -> Comparison:
    """Put entries into a table, a column for each way of measuring that all of them have.

    Args:
        entries: The runs.
        mixed: Show metrics too that no way of measuring is common to: the latest of each run.
        notes: What people should know besides.
        failed: Group -> seeds whose runs failed.

    Raises:
        UsageError: There is no such metric.
    """
    picks = _common(entries)
    shown = {next(m for m in pick if m is not None).head for pick in picks}
    unlike = _unlike(entries, shown)
    if mixed:
        picks += _latest(entries, shown)
    if entries and not picks:
        why = f" ({'; '.join(unlike)})" if unlike else ""
        raise UsageError(
            f"the runs have no metric that was measured alike{why}; type gentk evaluate for each of "
            "them with the same options, or add --mixed"
        )
    groups: dict[str, list[int]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(entry.seed)
    for group in failed or {}:
        groups.setdefault(group, [])
    columns = _columns(picks)
    return Comparison(
        groups,
        columns,
        _cells(entries, columns, picks),
        {column: _protocol(column, pick) for column, pick in zip(columns, picks, strict=True)},
        [*notes, *unlike],
        {group: list(seeds) for group, seeds in (failed or {}).items()},
        frozenset(entry.group for entry in entries if entry.beside),
    )


Pick = list[Measurement | None]
"""What stands in a column: one a run, None where it has none."""


def _common(entries: Sequence[Entry]) -> list[Pick]:
    """Return the measurements that were taken alike of all runs, the latest of each."""
    latest = [{m.key: m for m in entry.measurements} for entry in entries]
    shared = [key for key in latest[0] if all(key in by for by in latest)] if latest else []
    return [[by[key] for by in latest] for key in shared]


def _latest(entries: Sequence[Entry], shown: set[tuple[str, str, str]]) -> list[Pick]:
    """Return the latest measurements of each name that is not shown yet, however measured."""
    by_head = [{m.head: m for m in entry.measurements} for entry in entries]
    heads = dict.fromkeys(head for by in by_head for head in by if head not in shown)
    return [[by.get(head) for by in by_head] for head in heads]


def _columns(picks: Sequence[Pick]) -> list[Column]:
    """Name the columns; those of one extractor are called by what distinguishes their protocols."""
    have = [[m for m in pick if m is not None] for pick in picks]
    firsts = [measurements[0] for measurements in have]
    alike = [len({m.key for m in measurements}) == 1 for measurements in have]
    labels = [""] * len(firsts)
    for extractor in dict.fromkeys(m.place for m in firsts):
        places = [p for p, m in enumerate(firsts) if alike[p] and m.place == extractor]
        for place, label in zip(places, labels_of([firsts[p] for p in places]), strict=True):
            labels[place] = label
    return [
        Column(m.metric, m.name, m.place, m.direction, label, same)
        for m, label, same in zip(firsts, labels, alike, strict=True)
    ]


def _cells(
    entries: Sequence[Entry], columns: Sequence[Column], picks: Sequence[Pick]
) -> dict[tuple[str, Column], Cell]:
    """Return what stands where."""
    cells: dict[tuple[str, Column], Cell] = {}
    for column, pick in zip(columns, picks, strict=True):
        by_group: dict[str, list[tuple[int, Measurement]]] = {}
        for entry, measurement in zip(entries, pick, strict=True):
            if measurement is not None:
                by_group.setdefault(entry.group, []).append((entry.seed, measurement))
        cells |= {(group, column): cell_of(own) for group, own in by_group.items()}
    return cells


def _protocol(column: Column, pick: Pick) -> Protocol | None:
    """Return how the values of a column were measured, if all in one way."""
    return next(m for m in pick if m is not None).protocol if column.alike else None


def _unlike(entries: Sequence[Entry], shown: set[tuple[str, str, str]]) -> list[str]:
    """Say in what metrics differ of which no way of measuring is common to all runs."""
    by_head: dict[tuple[str, str, str], list[Measurement]] = {}
    for entry in entries:
        for head, measurement in {m.head: m for m in entry.measurements}.items():
            by_head.setdefault(head, []).append(measurement)
    notes = []
    for head, measurements in by_head.items():
        differences = differing(measurements)
        if differences and head not in shown:
            notes.append(f"{head[1]} was measured differently, {', '.join(differences)}")
    return notes
