"""Requests: what is asked of a sweep file, made in order: settings, then rows, then the page."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import JsonValue

from ..errors import UsageError, did_you_mean
from ..evaluation.bench import RATIO
from ..evaluation.measurement import Measurement
from ..files import write_bytes
from ..registry import Registry
from ..runs.trained import Run
from .declared import Declared, declare
from .edited import edited_rows
from .factorial import check_rows
from .finish import Making
from .page import render
from .pictures import draw, draw_missing, paths
from .trial import Sweep, Trial, sweep_command

__all__ = ["Finish", "Request"]

Finish = Callable[[Sweep, Callable[[Making], Making], str], None]
"""What finishes a sweep: it adds to what trials are made with, and puts a text before their names."""


@dataclass(frozen=True)
class Request:
    """What is asked of a sweep file.

    Attributes:
        path: The file.
        registry: Where names are looked up.
        rows: Where what came of its trials is written down, if not beside it.
        out: The folder of its runs, if not runs/NAME.
        page: The Markdown file that is rendered.
        only: Pattern of the names of rows that are made.
        seeds: The seeds that are made; all of them without one.
        own: Keys of a recipe that say where runs are made.
        checked: Whether to refuse whatever cannot be made here and now; a page is rendered without.
    """

    path: Path
    registry: Registry
    rows: Path | None = None
    out: Path | None = None
    page: Path | None = None
    only: str = "*"
    seeds: tuple[int, ...] = ()
    own: Mapping[str, JsonValue] = field(default_factory=dict)
    checked: bool = True

    def declared(self) -> Declared:
        """Return the sweep as its rows have it now."""
        return declare(
            self.path,
            self.registry,
            rows=self.rows,
            out=self.out,
            own=self.own,
            checked=self.checked,
        )

    def check(self) -> None:
        """Refuse what cannot be written or names nothing, before any work.

        Raises:
            UsageError: The file is wrong, or has no such row or seed, or the page cannot be written.
        """
        declared = self.declared()
        check_rows(self.rows, declared.sweep.out)
        if self.page is not None:
            _check_page(self.page, declared.file.title)
        names = [row.name for row in declared.file.row]
        if not any(self._names(name) for name in names):
            hint = did_you_mean(self.only, names)
            raise UsageError(f"no row is called {self.only!r}; {hint}rows are {', '.join(names)}")
        known = {seed for own in declared.seeds.values() for seed in own}
        for seed in self.seeds:
            if seed not in known:
                raise UsageError(
                    f"the file has no seed {seed}; type one of {', '.join(map(str, sorted(known)))}, "
                    "or add it to its seeds"
                )

    def wanted(self, declared: Declared) -> Sweep:
        """Return the trials that are asked for."""
        trials = [
            trial
            for trial in declared.sweep.trials
            if self._names(trial.name) and trial.seed in (self.seeds or (trial.seed,))
        ]
        return replace(declared.sweep, trials=trials)

    def tries(self, declared: Declared) -> Sweep:
        """Return the candidate settings of the rows that are asked for."""
        tunings = [t for name, t in declared.tunings.items() if self._names(name)]
        trials = [trial for t in tunings for listed in t.trials for trial in listed]
        return replace(declared.sweep, trials=trials)

    def _names(self, name: str) -> bool:
        return name == self.only or fnmatchcase(name, self.only)

    def command_line(self, trial: Trial) -> str:
        """Return what to type for one trial, or for the row whose settings it tries."""
        words = ["gentk", "sweep", str(self.path), "--only", trial.tries or trial.name]
        words += ["--seed", str(trial.seed)] if trial.tries is None else []
        words += ["--rows", str(self.rows)] if self.rows else []
        words += ["--out", str(self.out)] if self.out else []
        for key, value in self.own.items():
            words += [f"--{key}", str(value)]
        return shlex.join(words)

    def finish(self, finish: Finish) -> None:
        """Make what is missing: first candidate settings, then the rows."""
        declared = self.declared()
        tries = self.tries(declared)
        if tries.trials:
            finish(tries, self._making, "try ")
            declared = self.declared()
        finish(self.wanted(declared), self._making, "")
        if self.page is not None:
            draw_missing(declared, self.registry, self.page)

    def _making(self, making: Making) -> Making:
        """Return what trials are made with: the page follows every one of them."""
        threads = self.own.get("threads")
        return replace(
            making,
            registry=self.registry,
            ended=self._ended,
            rehearsed=self._refuse_unknown_values,
            command=self.command_line,
            device=str(self.own.get("device", "auto")),
            threads=int(str(threads)) if threads is not None else None,
        )

    def _ended(self, trial: Trial, run: Run | None) -> None:
        if self.page is not None:
            if run is not None:
                draw(replace(self, checked=False).declared(), trial, run, self.page)
            self.write_page()

    def _refuse_unknown_values(self, measurements: Sequence[Measurement]) -> None:
        """Refuse values that a metric does not have, before anything is trained for them."""
        for judge in self.declared().file.judge:
            known = {m.name for m in measurements if m.metric == judge.metric}
            for value in judge.values if known else ():
                if value not in known and value not in RATIO.values():
                    hint = did_you_mean(value, known)
                    raise UsageError(
                        f"metric {judge.metric!r} has no value {value!r}; {hint}values are "
                        f"{', '.join(sorted(known))}"
                    )

    def write_page(self) -> None:
        """Render the page, if one is asked for."""
        if self.page is not None:
            declared = replace(self, checked=False).declared()
            write_bytes(self.page, render(declared, paths(self.page, declared)).encode())

    def edits(self) -> list[str]:
        """Return what people should know of rows that hold what former code did."""
        return edited_rows(self.declared().sweep, self.registry)

    def notes(self) -> list[str]:
        """Return what people should know of what is not there yet."""
        declared = self.declared()
        settled = declared.sweep.settled()
        notes = [
            f"{name}: its settings are chosen after its {len(tuning.settings)} tries"
            for name, tuning in declared.tunings.items()
            if tuning.chosen is None and not tuning.failed
        ]
        missing = [t for t in declared.sweep.trials if t not in settled and t.refused is None]
        if missing:
            notes.append(f"{len(missing)} of {len(declared.sweep.trials)} trials are not made yet")
            sources = {t.source.file for t in missing if t.source is not None}
            notes += [f"some of them are made by: {sweep_command(file)}" for file in sources]
        return notes


def _check_page(page: Path, title: str) -> None:
    """Refuse a page that cannot be written, or would be written over something else.

    Raises:
        UsageError: It is no Markdown file in a folder that exists, or holds no page of a sweep.
    """
    if page.is_dir() or not page.parent.is_dir() or page.suffix != ".md":
        raise UsageError(
            f"--page {page} is not a Markdown file in a folder that exists; type --page page.md"
        )
    text = page.read_text(encoding="utf-8", errors="replace") if page.exists() else ""
    if text.strip() and "`gentk sweep " not in text and not text.startswith(f"# {title}"):
        raise UsageError(
            f"--page {page} holds something else than the page of a sweep, and would be overwritten; "
            "type another --page, or move it away"
        )
