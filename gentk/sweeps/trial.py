"""Trials: one run of a recipe, or what is judged as it is, with how, and what it is found by.

    key = digest(identity of the recipe and of its stages, budgets, how it is judged)

A trial's name and folder are no part of its key, and no data are opened for it.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from ..budget import UNITS
from ..errors import GentkError
from ..evaluation.plan import Plan
from ..numerals import typed
from ..recipe import Recipe, Resolved
from ..registry import Registry
from ..runs.folder import RunFolder
from ..runs.stages import plan as stages_of
from .row import Row, latest

__all__ = [
    "Flags",
    "Images",
    "Source",
    "StandIn",
    "Sweep",
    "Trial",
    "command_of",
    "digest",
    "mark_of",
    "parts_of",
    "stand_in",
    "sweep_command",
]

Flags = Mapping[str, JsonValue]
"""Key of a recipe -> its value."""


@dataclass(frozen=True)
class Images:
    """Images that are judged as they are.

    Attributes:
        subject: Their name, as for `gentk evaluate`.
        floor: The sanity row that is judged in their place, if one is; as beside any subject, it is made
            of the training images of what they are compared with.
    """

    subject: str
    floor: str | None = None

    @property
    def name(self) -> str:
        """What is judged, as typed."""
        return self.subject


@dataclass(frozen=True)
class StandIn:
    """Features that are judged in the place of those of a run's own encoder.

    Attributes:
        extractor: What makes them, as for `gentk evaluate`.
    """

    extractor: str

    @property
    def name(self) -> str:
        """What is judged, as typed."""
        return self.extractor


@dataclass(frozen=True)
class Source:
    """Another sweep file that has made a trial, so that its row there is quoted.

    Attributes:
        file: The file.
        rows: Its rows.
        key: The trial's key there.
    """

    file: Path
    rows: Path
    key: str


@dataclass(frozen=True, eq=False)
class Trial:
    """One run, or one set of images or features, of a sweep.

    Attributes:
        name: What distinguishes it from the others, but for the seed.
        seed: Its seed.
        plans: How it is judged.
        parts: What decides it besides that.
        recipe: Of a run: what it starts from.
        flags: Of a run: what is laid over that.
        resolved: Of a run: the recipe, if it fits.
        stages: Of a run: the runs of the sweep that are made before it.
        refused: Why it does not fit.
        given: What is judged, if that is no run.
        source: Where its row is if another sweep makes it.
        tries: The row whose candidate settings these are, if they are.
    """

    name: str
    seed: int
    plans: tuple[Plan, ...]
    parts: tuple[JsonValue, ...] = ()
    recipe: str | None = None
    flags: Flags | None = None
    resolved: Resolved | None = None
    stages: tuple[Resolved, ...] = ()
    refused: str | None = None
    given: Images | StandIn | None = None
    source: Source | None = None
    tries: str | None = None

    @property
    def key(self) -> str:
        """What its row is found by."""
        asked: list[JsonValue] = [list(_words(plan)) for plan in self.plans]
        return digest([*self.parts, asked[0] if len(asked) == 1 else asked])


@dataclass(frozen=True)
class Sweep:
    """All trials of a sweep, one seed of all before the next seed.

    Attributes:
        trials: The trials.
        rows: The file of what came of them.
        out: The folder of its runs.
    """

    trials: list[Trial]
    rows: Path
    out: Path

    def settled(self) -> dict[Trial, Row]:
        """Return the trials that have a row, with it."""
        tables: dict[Path, dict[str, Row]] = {}
        settled = {}
        for trial in self.trials:
            if trial.refused is not None:
                continue
            path = trial.source.rows if trial.source else self.rows
            if path not in tables:
                tables[path] = latest(path)
            row = tables[path].get(trial.source.key if trial.source else trial.key)
            if row is not None:
                settled[trial] = row
        return settled


def digest(parts: Sequence[JsonValue]) -> str:
    """Return 16 hex digits of what decides something."""
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()


def stand_in(
    name: str, seed: int, plans: tuple[Plan, ...], extractor: str, registry: Registry
) -> Trial:
    """Return the trial of features that stand in the place of those of a run's own encoder.

    Args:
        name: What it is called.
        seed: Its seed.
        plans: How the runs beside it are judged; it is refused if none looks at such features.
        extractor: What makes them.
        registry: Where names are looked up.
    """
    try:
        registry.rehearse("extractor", extractor)
        judged = any(plan.of_features(extractor, registry) for plan in plans)
    except GentkError as error:
        return Trial(name, seed, plans, refused=str(error))
    if not judged:
        reason = (
            "no judge looks at features of the runs' own without samples; write metric = "
            '"probe" and extractors = ["run"] in a [[judge]], or drop the row'
        )
        return Trial(name, seed, plans, refused=reason)
    return Trial(name, seed, plans, ("features", extractor), given=StandIn(extractor))


def parts_of(
    resolved: Resolved, registry: Registry, stages: Mapping[str, Resolved] | None = None
) -> tuple[JsonValue, ...]:
    """Return what decides a run: its identity and budget, and those of the runs made before it.

    Args:
        resolved: The recipe.
        registry: Where names are looked up.
        stages: The runs of a sweep that it stands on, by name.
    """
    names = {f"run:{one.folder()}": f"stage:{name}" for name, one in (stages or {}).items()}
    names[f"run:{RunFolder(resolved.folder()).stages}/"] = "stage:"
    before = [*(stages or {}).items(), *stages_of(resolved, registry)]
    told: list[JsonValue] = [[name, *_decisive(one.recipe, names)] for name, one in before]
    return (*_decisive(resolved.recipe, names), *([told] if told else []))


def _decisive(r: Recipe, names: Mapping[str, str]) -> tuple[JsonValue, ...]:
    """Return identity and budget; stages count by their names, as where they are decides nothing."""
    text = whole = json.dumps(r.model_dump(mode="json"))
    for place, name in names.items():
        text = text.replace(json.dumps(place)[1:-1], name)
    named = r if text == whole else Recipe.model_validate_json(text)
    # A unit that came later counts where it is set, so that the rows there are keep their keys.
    more = [r.operations] if r.operations is not None else []
    return named.identity(), r.steps, r.minutes, *more


def mark_of(r: Recipe) -> str:
    """Return 8 hex digits of a run's identity and budget, by which its folder is told from others.

    A run goes on where its budget is raised; a trial of another budget is another trial.
    """
    return digest([r.identity(), *(getattr(r, unit) for unit in UNITS)])[:8]


def _words(plan: Plan) -> list[str]:
    """Return what decides a plan's values, in the words by which rows are known."""
    # The reference's flag as it was called when the first rows were written.
    words = ["--data" if word == "--against" else word for word in plan.words()]
    return [*words, *(["--ratio"] if plan.ratio else [])]


def command_of(recipe: str | None, flags: Flags) -> str:
    """Return what to type for a run; tables of a recipe have no flags and are left out."""
    words = ["gentk", "run", *([recipe] if recipe else [])]
    for key, value in flags.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(item, dict):
                text = typed(item) if isinstance(item, float) else str(item)
                words += [f"--{key.replace('_', '-')}", text]
    return shlex.join(words)


def sweep_command(file: Path) -> str:
    """Return what to type for a sweep file from here, where paths in it are relative to, too."""
    if file.is_absolute() and file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    return shlex.join(["gentk", "sweep", file.as_posix()])
