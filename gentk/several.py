"""Several: the verbs of many runs at once, `sweep` and `compare`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from .errors import UsageError
from .evaluation.plan import Plan
from .families.base import Advance
from .keywords import OverKeys, RecipeKeys
from .library import is_sweep
from .registry import Registry
from .runs import trained
from .runs.objects import Given
from .sweeps.compare import compare as _compare
from .sweeps.comparison import Comparison
from .sweeps.factorial import Level, budget_note, factorial
from .sweeps.finish import Making, finish
from .sweeps.outcome import SweepOutcome, outcome_of
from .sweeps.page import claims
from .sweeps.request import Request
from .sweeps.trial import Sweep, Trial
from .verbs import listed, places_of, texts_of
from .wording import in_python, spoken

__all__ = ["compare", "sweep"]

BESIDE = ("out", "device", "threads")
"""Keys of a recipe that say where the runs of a sweep file are made; all others stand in it."""


@in_python(judge="judges", metric="metrics")
def sweep(
    recipe: str | Path | None = None,
    over: OverKeys | None = None,
    *,
    seeds: int | Sequence[int] | None = None,
    judges: str | Sequence[str] = (),
    metrics: str | Sequence[str] = "fd",
    against: str | None = None,
    count: int = 5000,
    rows: str | Path | None = None,
    page: str | Path | None = None,
    only: str = "*",
    registry: Registry | None = None,
    advance: Advance | None = None,
    **keys: Unpack[RecipeKeys],
) -> SweepOutcome:
    """Run every combination of the values of some keys, or a sweep file, and judge all runs alike.

    The same call again goes on where it stopped. What does not fit is refused with the reason; a run
    that fails does not stop the others.

    Args:
        recipe: Name of a recipe or path of a TOML file, `gfmn` by default; without `over` the
            path of a sweep file.
        over: Key of a recipe -> the values it takes, as in `{"estimator": ["batch", "ama"]}`.
        seeds: How many runs of each combination, one by default, their seeds from `seed` on; or the
            seeds themselves.
        judges: Extractors in whose features to compare; by default one that no recipe trains on.
        metrics: What to compute, such as `"fd"` or `["fd", "kid"]`.
        against: The reference; by default the test split of the runs' own data.
        count: How many samples to compare.
        rows: The file of finished trials; by default in the folder, or beside the sweep file.
        page: Of a sweep file: the Markdown file to render, after each trial.
        only: Of a sweep file: the rows to make, by name or pattern.
        registry: Where names are looked up; by default everything installed.
        advance: Called with what is being done, the number done, the total.
        keys: Keys of a recipe, in all runs: names, or objects. Beside a sweep file `out`, `device` and
            `threads`.

    Raises:
        GentkError: Nothing can be run or judged so, in one sentence.
        KeyboardInterrupt: After Ctrl-C; a checkpoint has been written, the same call goes on.
    """
    given = Given(Registry.of(registry))
    name = None if recipe is None else str(recipe)
    plan = Plan(against, listed(metrics) or ("fd",), listed(judges), count)
    place = None if rows is None else Path(rows)
    if name is not None and name.endswith(".toml") and not over:
        own = _given(given.keys(keys))
        told = [key for key in own if key not in BESIDE]
        told += ["judges, metrics, against or count"] if plan != Plan() else []
        if told:
            raise UsageError(
                f"{told[0]} stands in the sweep file; change it there, or give over too"
            )
        folder, seen = own.pop("out", None), _seeds(seeds, 0) if seeds is not None else []
        request = Request(
            Path(name),
            given.registry,
            rows=place,
            out=None if folder is None else Path(folder),
            page=None if page is None else Path(page),
            only=only,
            seeds=tuple(seen),
            own=own,
        )
        return _of_file(request, advance)
    if page is not None or only != "*":
        raise UsageError("page and only are for sweep files; drop them, or give sweep('FILE.toml')")
    if name is not None and is_sweep(name):
        raise UsageError(f"{name} is a sweep file and says itself what varies; drop over")
    if over is not None and not isinstance(over, Mapping):
        raise UsageError(
            f"over is a dict of key -> values, not {type(over).__name__}; write "
            "over={'loss': ['moments', 'mmd']}"
        )
    levels = {key: _levels(key, values, name, given) for key, values in (over or {}).items()}
    if not levels:
        raise UsageError("a sweep is over something; write over={'loss': ['moments', 'mmd']}")
    own = _given(texts_of(keys, name, given))
    numbers = _seeds(1 if seeds is None else seeds, own.pop("seed", 0))
    planned = factorial(name, own, levels, given.registry, seeds=numbers, rows=place, plan=plan)
    note = budget_note(planned)
    notes = [] if note is None else [note]
    _finish(planned, lambda making: replace(making, registry=given.registry), notes, advance)
    return _told(outcome_of(planned, notes=notes))


def _of_file(request: Request, advance: Advance | None) -> SweepOutcome:
    """Make the trials of a sweep file and its page."""
    request.check()
    notes: list[str] = []
    request.finish(lambda sweep, making, label: _finish(sweep, making, notes, advance, label))
    request.write_page()
    declared = request.declared()
    notes += request.notes()
    return _told(outcome_of(declared.sweep, claims=claims(declared), notes=notes))


def _finish(
    sweep: Sweep,
    making: Callable[[Making], Making],
    notes: list[str],
    advance: Advance | None,
    label: str = "",
) -> None:
    """Finish a sweep; notes are kept, and `advance` hears of each trial."""
    trials = [trial for trial in sweep.trials if trial.refused is None and trial.source is None]
    number = {trial: index for index, trial in enumerate(trials)}

    def begin(trial: Trial) -> None:
        if advance is not None:
            advance(f"{label}{trial.name}, seed {trial.seed}", number[trial], len(trials))

    finish(sweep, making(Making(begin=begin, advance=advance, notice=notes.append)))


def _told(outcome: SweepOutcome) -> SweepOutcome:
    """Return an outcome whose sentences speak Python."""
    rows = [
        row if row.failed is None else replace(row, failed=spoken(row.failed))
        for row in outcome.rows
    ]
    refused = {name: spoken(why) for name, why in outcome.refused.items()}
    notes = tuple(map(spoken, outcome.notes))
    return replace(outcome, rows=tuple(rows), refused=refused, notes=notes)


def _given(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}


def _levels(key: str, values: object, recipe: str | None, given: Given) -> list[Level]:
    """Return the values that a key takes, as recipes have them."""
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise UsageError(
            f"over has {values!r} for {key}; give a list of the values it takes, as in "
            "over={'loss': ['moments', 'mmd']}"
        )
    texts = [texts_of({key: value}, recipe, given)[key] for value in values]
    return [tuple(map(str, one)) if isinstance(one, list | tuple) else str(one) for one in texts]


def _seeds(seeds: int | Sequence[int], first: int) -> list[int]:
    """Return the seeds: those that are given, or so many from the first on."""
    if isinstance(seeds, int):
        if seeds < 1:
            raise UsageError(f"{seeds} runs of each combination are none; write seeds=1, or more")
        return list(range(first, first + seeds))
    if first:
        raise UsageError("seeds are all seeds there are; drop seed")
    return list(dict.fromkeys(seeds))


@in_python()
def compare(
    runs: trained.Run | str | Path | Iterable[trained.Run | str | Path], *, mixed: bool = False
) -> Comparison:
    """Compare finished runs and models by the values that `evaluate` left in their folders.

    Args:
        runs: The runs, their folders, or `model:NAME`; those that differ in their seed only are one
            row.
        mixed: Compare values of different protocols too, and say in what they differ.

    Raises:
        UsageError: There are no runs, or they have no metric measured alike.
        RunError: A folder is no finished run, or has no values.
    """
    places = places_of(runs)
    if not places:
        raise UsageError("there are no runs to compare; give their folders, as in compare([a, b])")
    return _compare(places, mixed=mixed)
