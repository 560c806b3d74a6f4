"""Pictures of a sweep's page: what the first seed of each row shows."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import GentkError
from ..files import note
from ..registry import Registry
from ..runs.sheets import export
from ..runs.trained import Run
from ..runs.training import finished_run
from .declared import Declared, slug
from .trial import Trial

__all__ = ["draw", "draw_missing", "paths"]

SHOWN = {"grid": 64, "interpolation": 5, "neighbours": 12, "reconstruction": 24}
"""How many samples a picture shows."""


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
    return {
        form: folder / f"{slug(row.name)}{'' if form == 'grid' else f'-{form}'}.png"
        for form in declared.file.pictures
    }
