"""Pictures of a sweep's page: what the first seed of each row shows.

A picture says in itself of which run it is, as its row may have had other settings when it was drawn;
one that says nothing is taken as it is.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..errors import GentkError
from ..files import cause, note, replacing
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

KEY = "gentk"
"""The key of the text in a picture that says what it is of."""


@dataclass(frozen=True)
class _Picture:
    """A picture that a page has a place for.

    Attributes:
        path: Its file.
        form: What it shows.
        trial: The first trial of its row, if that is a run and there is one yet.
    """

    path: Path
    form: str
    trial: Trial | None

    def text(self) -> str:
        """Return what it says that it is of: a run, however that is judged, and what it shows."""
        return "" if self.trial is None else f"{digest(self.trial.parts)} {self.form}"

    def is_there(self) -> bool:
        """Say whether it is there, and does not say that it is of something else."""
        return self.path.is_file() and _told(self.path) in (None, self.text())

    def draw(self, run: Run) -> None:
        """Draw it; what cannot be drawn is told of."""
        try:
            # It is drawn elsewhere first: without its text it would be taken for that of any run.
            with TemporaryDirectory() as folder:
                drawn = export(run, self.form, SHOWN[self.form], Path(folder) / "drawn.png")
                text = PngInfo()
                text.add_text(KEY, self.text())
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with Image.open(drawn) as picture, replacing(self.path) as part:
                    picture.save(part, format="PNG", pnginfo=text)
        except GentkError as error:
            note(f"{self.path} is not drawn: {error}")
        except OSError as error:
            reason, remedy = cause(error)
            note(f"{self.path} is not drawn: it cannot be written ({reason}); {remedy}")


def paths(page: Path, declared: Declared) -> list[str]:
    """Return the pictures that a page has, as it names them; they are in a folder of its name.

    Args:
        page: The page.
        declared: Its sweep: only pictures of its rows are taken, and none that says that it is of
            another run.
    """
    pictures = sorted(one.path for one in _wanted(declared, page) if one.is_there())
    return [Path(os.path.relpath(path, page.parent)).as_posix() for path in pictures]


def draw(declared: Declared, trial: Trial, run: Run, page: Path) -> None:
    """Draw a run's pictures, if it is of the first seed; what cannot be drawn is told of."""
    for picture in _wanted(declared, page):
        # The file may have been edited while the run was made: then its row has another by now.
        if picture.trial is not None and picture.trial.parts == trial.parts:
            picture.draw(run)


def draw_missing(declared: Declared, registry: Registry, page: Path) -> None:
    """Draw pictures that a page does not have, or has of other runs, of runs that are there."""
    missing = [picture for picture in _wanted(declared, page) if not picture.is_there()]
    for trial in dict.fromkeys(picture.trial for picture in missing):
        if trial is None or trial.resolved is None or trial.source is not None:
            continue
        try:
            run = finished_run(trial.resolved, registry)
        except GentkError:
            continue
        for picture in missing:
            if run is not None and picture.trial is trial:
                picture.draw(run)


def _told(path: Path) -> str | None:
    """Return what a picture says that it is of, if it says so."""
    try:
        with Image.open(path) as picture:
            text = picture.info.get(KEY)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return None if text is None else str(text)


def _wanted(declared: Declared, page: Path) -> list[_Picture]:
    """Return the pictures that a page has places for: of each row, in each form."""
    folder = page.with_suffix("")
    first: dict[str, Trial] = {}
    for trial in declared.sweep.trials:
        seeds = declared.seeds.get(trial.name)
        if trial.resolved is not None and seeds and trial.seed == seeds[0]:
            first[trial.name] = trial
    return [
        _Picture(folder / name, form, first.get(row))
        for row, names in _names(declared).items()
        for form, name in names.items()
    ]


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
