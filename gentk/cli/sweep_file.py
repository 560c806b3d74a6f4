"""A sweep file, as `gentk sweep FILE.toml` runs and shows it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError, did_you_mean
from .outcome import Form, echo_outcome, echo_planned, end, finish_watched

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ..registry import Registry
    from ..runs.trained import Run
    from ..sweeps.declared import Declared
    from ..sweeps.finish import Making
    from ..sweeps.trial import Sweep, Trial

__all__ = ["FileRequest"]


@dataclass(frozen=True)
class FileRequest:
    """What is asked of a sweep file.

    Attributes:
        path: The file.
        registry: Where names are looked up.
        rows: Where what came of its trials is written down, if not beside it.
        out: The folder of its runs, if not runs/NAME.
        page: The Markdown file that is rendered.
        render: Make nothing.
        only: Pattern of the names of rows that are made.
        seeds: The seeds that are made; all of them without one.
        own: Keys of a recipe that say where runs are made.
        form: What is printed.
    """

    path: Path
    registry: Registry
    rows: Path | None = None
    out: Path | None = None
    page: Path | None = None
    render: bool = False
    only: str = "*"
    seeds: tuple[int, ...] = ()
    own: dict[str, JsonValue] = field(default_factory=dict)
    form: Form = field(default_factory=Form)

    def run(self) -> None:
        """Make what is missing, or say what that is, and show what there is."""
        from ..sweeps.page import claims

        self.check()
        form = self.form
        if form.printed or form.dry_run:
            declared = self.declared()
            tries, rows = self.tries(declared), self.wanted(declared)
            sweep = replace(rows, trials=[*tries.trials, *rows.trials])
            echo_planned(sweep, self.command_line, form)
        else:
            if not self.render:
                self.finish()
            self.write_page()
            declared = self.declared()
            sweep = declared.sweep
            echo_outcome(sweep, form, claims(declared))
        for note in self.notes():
            click.echo(f"note: {note}", err=True)
        end(sweep, form)

    def declared(self, *, checked: bool | None = None) -> Declared:
        """Return the sweep as its rows have it now."""
        from ..sweeps.declared import declare

        return declare(
            self.path,
            self.registry,
            rows=self.rows,
            out=self.out,
            own=self.own,
            checked=not self.render if checked is None else checked,
        )

    def check(self) -> None:
        """Refuse what cannot be written or names nothing, before any work."""
        from ..sweeps.factorial import check_rows

        declared = self.declared()
        check_rows(self.rows, declared.sweep.out)
        if self.page is not None and (self.page.is_dir() or not self.page.parent.is_dir()):
            raise UsageError(
                f"--page {self.page} is not a file in a folder that exists; type --page page.md"
            )
        names = [row.name for row in declared.file.row]
        if not any(self._names(name) for name in names):
            hint = did_you_mean(self.only, names)
            raise UsageError(f"no row is called {self.only!r}; {hint}rows are {', '.join(names)}")
        known = {seed for row in declared.file.row for seed in row.seeds or declared.file.seeds}
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
        for key, value in (self.own).items():
            words += [f"--{key}", str(value)]
        return shlex.join(words)

    def finish(self) -> None:
        """Make what is missing: first candidate settings, then the rows."""
        from ..sweeps.pictures import draw_missing

        declared = self.declared()
        tries = self.tries(declared)
        if tries.trials:
            finish_watched(tries, self._making, self.form.quiet, "try ")
            declared = self.declared()
        finish_watched(self.wanted(declared), self._making, self.form.quiet)
        if self.page is not None:
            draw_missing(declared, self.registry, self.page)

    def _making(self, making: Making) -> Making:
        """Return what trials are made with: the page follows every one of them."""
        own = self.own
        threads = own.get("threads")
        return replace(
            making,
            registry=self.registry,
            ended=self._ended,
            command=self.command_line,
            device=str(own.get("device", "auto")),
            threads=int(str(threads)) if threads is not None else None,
        )

    def _ended(self, trial: Trial, run: Run | None) -> None:
        from ..sweeps.pictures import draw

        if self.page is not None and run is not None:
            draw(self.declared(checked=False), trial, run, self.page)
            self.write_page()

    def write_page(self) -> None:
        """Render the page, if one is asked for."""
        from ..files import write_bytes
        from ..sweeps.page import render
        from ..sweeps.pictures import paths

        if self.page is not None:
            text = render(self.declared(checked=False), paths(self.page))
            write_bytes(self.page, text.encode())

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
            sources = {t.source.name for t in missing if t.source is not None}
            notes += [f"some of them are made by: gentk sweep {name}.toml" for name in sources]
        return notes
