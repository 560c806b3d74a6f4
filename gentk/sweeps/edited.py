"""Edited: which rows of a sweep hold what third parties' parts did before their code was edited.

A run records the code that trained it, a measurement the code that measured it; a row holds both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from ..errors import GentkError
from ..evaluation.edited import edited_since
from ..recipe import Resolved
from ..registry import Registry
from ..runs.edited import changed, codes
from ..runs.folder import RunFolder
from ..runs.stages import plan as stages_of
from .row import Row
from .trial import Sweep, Trial, sweep_command

__all__ = ["edited_rows", "mixed", "recorded_code"]


def recorded_code(trial: Trial, registry: Registry) -> dict[str, str]:
    """Return the code of third parties that trained a trial's run and its stages, as recorded."""
    found: dict[str, str] = {}
    for behind, resolved in _runs(trial, registry):
        folder = RunFolder(resolved.folder())
        with suppress(GentkError):
            if folder.record.exists():
                own: Mapping[str, str] = folder.read().get("code") or {}
                found |= {f"{part}{behind}": code for part, code in own.items()}
    return found


def edited_rows(sweep: Sweep, registry: Registry) -> list[str]:
    """Return a sentence for each file of rows that hold what former code did."""
    found: dict[Path, dict[Trial, list[str]]] = {}
    for trial, row in sweep.settled().items():
        names = _edited(trial, row, registry) if row.is_final else []
        if names:
            path = trial.source.rows if trial.source else sweep.rows
            found.setdefault(path, {})[trial] = names
    sentences = []
    for path, trials in found.items():
        first = next(iter(trials))
        parts = list(dict.fromkeys(name for names in trials.values() for name in names))
        remedy = "type another --rows and --out"
        if first.source is not None:
            remedy = f"move {path} and its runs away, and type: {sweep_command(first.source.file)}"
        sentences.append(
            f"the code of {' and '.join(parts)} has changed since {len(trials)} of the rows in {path} "
            f"were made, such as {first.name!r}: they hold what the former code did; to make them with "
            f"the new one {remedy}"
        )
    return sentences


def mixed(rows: Iterable[Row]) -> list[str]:
    """Return the parts whose code is not the same in all of some rows."""
    seen: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        for one in (row.code, *(m.code for m in row.measurements)):
            for part, code in one.items():
                # Code that two Pythons compiled cannot be compared.
                python = code.partition(" ")[0]
                seen.setdefault((part, python), set()).add(code)
    return list(dict.fromkeys(part for (part, _), known in seen.items() if len(known) > 1))


def _edited(trial: Trial, row: Row, registry: Registry) -> list[str]:
    """Return the parts that decided a row's values and have been edited since."""
    now: dict[str, str] = {}
    if row.code:
        for behind, resolved in _runs(trial, registry):
            now |= {f"{part}{behind}": code for part, code in codes(resolved, registry).items()}
    names = changed(row.code, now)
    for measurement in row.measurements:
        names += edited_since(measurement, registry)
    return list(dict.fromkeys(names))


def _runs(trial: Trial, registry: Registry) -> Iterator[tuple[str, Resolved]]:
    """Yield the runs that a trial is made of, its own last, with what stands behind their parts."""
    if trial.resolved is None:
        return
    for resolved in (*trial.stages, trial.resolved):
        stages = [one for _, one in stages_of(resolved, registry)]
        for one in (*stages, resolved):
            own = one is trial.resolved
            yield ("" if own else f" of stage {one.folder().name!r}"), one
