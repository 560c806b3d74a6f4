"""Pictures of a sweep's page: what the first seed of each row shows."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from ..errors import GentkError
from ..files import note
from ..registry import Registry
from ..runs.sheets import export
from ..runs.trained import Run
from ..runs.training import finished_run
from .declared import Declared, slug
from .trial import Trial, digest

__all__ = ["draw", "draw_missing", "paths"]

SHOWN = {"grid": 64, "interpolation": 5, "neighbours": 12, "reconstruction": 24}
"""How many samples a picture shows."""

LONGEST = 60
"""Bytes of a row's name in that of its pictures: file systems count bytes, and most end at 255."""


def paths(page: Path) -> list[str]:
    """Return the pictures that a page has, as it names them; they are in a folder of its name."""
    folder = page.with_suffix("")
    pictures = sorted(folder.glob("*.png"))
    return [Path(os.path.relpath(path, page.parent)).as_posix() for path in pictures]


def draw(declared: Declared, trial: Trial, run: Run, page: Path) -> None:
    """Draw a run's pictures, if it is of the first seed; what cannot be drawn is told of."""
    for form, path in _wanted(declared, trial, page).items():
        try:
            export(run, form, SHOWN[form], path)
        except GentkError as error:
            note(f"{path} is not drawn: {error}")


def draw_missing(declared: Declared, registry: Registry, page: Path) -> None:
    """Draw pictures that a page does not have of runs that are there."""
    for trial in declared.sweep.trials:
        missing = [p for p in _wanted(declared, trial, page).values() if not p.exists()]
        if not missing or trial.resolved is None or trial.source is not None:
            continue
        try:
            run = finished_run(trial.resolved, registry)
        except GentkError:
            continue
        if run is not None:
            draw(declared, trial, run, page)


def _wanted(declared: Declared, trial: Trial, page: Path) -> dict[str, Path]:
    """Return form -> path of a trial's pictures."""
    row = next((row for row in declared.file.row if row.name == trial.name), None)
    if row is None or trial.resolved is None:
        return {}
    if trial.seed != declared.seeds[row.name][0]:
        return {}
    folder = page.with_suffix("")
    return {form: folder / name for form, name in _names(declared)[row.name].items()}


def _names(declared: Declared) -> dict[str, dict[str, str]]:
    """Return row -> form -> the name of a picture, of which no two are the same on any disk."""
    forms = dict.fromkeys(declared.file.pictures)

    def named(stem: str) -> dict[str, str]:
        return {form: f"{stem}{'' if form == 'grid' else f'-{form}'}.png" for form in forms}

    plain = {row.name: named(slug(row.name)) for row in declared.file.row}
    uses = Counter(name.casefold() for names in plain.values() for name in names.values())
    names = {}
    for row, own in plain.items():
        shared = any(uses[name.casefold()] > 1 for name in own.values())
        names[row] = named(_stem(row, shared=shared))
    return names


def _stem(row: str, *, shared: bool) -> str:
    """Return what a row's pictures are called by: as much of its name as fits, marked if not alone."""
    whole = slug(row)
    stem = whole.encode()[:LONGEST].decode(errors="ignore")
    return f"{stem}-{digest([row])[:8]}" if shared or stem != whole else stem
