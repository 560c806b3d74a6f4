"""Grids: every combination of some components, run at one budget and judged alike, resumable.

Each finished and judged run appends a row to a file; what has a row is not made again. Runs that were
made elsewhere, by the commands that a grid prints, are found in their folders.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from .. import journal
from ..errors import GentkError, UsageError
from ..evaluation.plan import Context, Plan
from ..evaluation.record import row_of, validated
from ..evaluation.settled import judge, recorded, rehearse
from ..families.base import Advance
from ..interfaces import Observer
from ..recipe import Recipe, Resolved
from ..registry import Registry
from ..runs.composing import check, resolve_recipe
from ..runs.stages import plan as stages_of
from ..runs.training import finished_run, make
from ..selection import Selection
from .comparison import Entry

__all__ = [
    "Grid",
    "Plot",
    "budget_note",
    "entries_of",
    "failures_of",
    "finish",
    "lay_out",
    "read_rows",
]

BUDGET = frozenset({"steps", "minutes"})
OWN = frozenset({"seed", "out", *BUDGET})
"""Keys that a grid sets itself, or that must be equal in all its runs."""


FINAL = "NonFinite"
"""The error after which a run is not tried again: the same seed diverges again."""


@dataclass(frozen=True)
class Plot:
    """One run of a grid.

    Attributes:
        name: What distinguishes it from the others, but for the seed.
        seed: Its seed.
        flags: What is laid over the recipe.
        resolved: The recipe, if it fits.
        refused: Why it does not.
    """

    name: str
    seed: int
    flags: dict[str, Any]
    resolved: Resolved | None = None
    refused: str | None = None


@dataclass(frozen=True)
class Grid:
    """All runs of a grid, one seed of all before the next seed.

    Attributes:
        recipe: What they start from.
        plots: The runs.
        rows: Where finished ones are written down.
        measure: How they are judged.
    """

    recipe: str | None
    plots: list[Plot]
    rows: Path
    measure: Plan = field(default_factory=Plan)


def lay_out(
    recipe: str | None,
    flags: Mapping[str, Any],
    over: Mapping[str, Sequence[str]],
    registry: Registry,
    *,
    seeds: int = 1,
    rows: Path | None = None,
    measure: Plan | None = None,
) -> Grid:
    """Plan a grid; combinations that do not fit are in it, with the reason.

    Args:
        recipe: What all runs start from.
        flags: What is laid over it in all runs.
        over: Key of a recipe -> the values it takes.
        registry: Where names are looked up.
        seeds: Runs of each combination.
        rows: Where finished runs are written down; by default in the grid's folder.
        measure: How they are judged.

    Raises:
        UsageError: A key is none of a recipe, budgets would differ, or rows cannot be kept there.
        GentkError: The measure asks for something that there is not.
    """
    for key in over:
        if key in BUDGET:
            raise UsageError(
                f"--over {key}: a grid compares at one budget; type --{key} once for all of its runs"
            )
        if key in OWN or key not in Recipe.model_fields:
            raise UsageError(f"--over {key}=...: {_instead(key)}")
    if seeds < 1:
        raise UsageError(f"{seeds} seeds make no run; type --seeds 3")
    measure = measure or Plan()
    measure.check(registry)
    over = {key: list(dict.fromkeys(values)) for key, values in over.items()}
    text = json.dumps([recipe, sorted(flags.items()), list(over.items())], default=list)
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    out = Path(flags.get("out") or f"runs/grid-{digest}")
    if rows is not None and (rows.is_dir() or not (rows.parent.is_dir() or rows.parent == out)):
        raise UsageError(
            f"--rows {rows} is no file in a folder that exists; type --rows rows.jsonl"
        )
    first = int(flags.get("seed") or 0)
    plots: list[Plot] = []
    known: dict[str, str] = {}
    for seed in range(first, first + seeds):
        for number, values in enumerate(itertools.product(*over.values())):
            levels = dict(zip(over, values, strict=True))
            name = " ".join(f"{key}={value}" for key, value in levels.items()) or "the recipe"
            slug = "-".join(re.findall(r"\w+", "-".join(values)))[:60] or "run"
            place = {"seed": seed, "out": str(out / f"{number:02d}-{slug}-seed{seed}")}
            plot = _plot(name, seed, recipe, {**flags, **levels, **place}, registry)
            key = _key(plot.resolved, measure) if plot.resolved is not None else name
            twin = known.setdefault(key, name)
            if twin != name:
                reason = f"it is the run {twin!r} under another name; leave one of the two away"
                plot = Plot(name, seed, plot.flags, refused=reason)
            plots.append(plot)
    return Grid(recipe, plots, rows or out / "rows.jsonl", measure)


def _instead(key: str) -> str:
    if key == "seed":
        return "seeds are counted; type --seeds 3"
    if key == "out":
        return "every run has a folder of its own; type --out FOLDER for all of them"
    return f"a recipe has no key {key!r}; type --over loss=NAME, or see: gentk run --help"


def _plot(
    name: str, seed: int, recipe: str | None, flags: dict[str, Any], registry: Registry
) -> Plot:
    """Resolve and check one run."""
    try:
        resolved = resolve_recipe(recipe, flags, registry=registry)
        for part in (*(stage for _, stage in stages_of(resolved, registry)), resolved):
            check(part, registry)
    except GentkError as error:
        return Plot(name, seed, flags, refused=str(error))
    return Plot(name, seed, flags, resolved)


def budget_note(grid: Grid) -> str | None:
    """Return a sentence if runs of equal steps do not see equally many images; None if they do."""
    recipes = [plot.resolved.recipe for plot in grid.plots if plot.resolved is not None]
    batches = sorted({r.batch for r in recipes if r.steps is not None})
    if len(batches) < 2:
        return None
    return (
        f"in as many steps, runs with batch={batches[-1]} make {batches[-1] / batches[0]:.3g} times as "
        f"many images as those with batch={batches[0]}; for a budget of time, type --minutes 5"
    )


def finish(
    grid: Grid,
    registry: Registry,
    *,
    silent: bool = False,
    begin: Callable[[Plot], None] = lambda plot: None,
    advance: Advance | None = None,
) -> None:
    """Make and judge every run that has no row yet; one that fails has a row that says why.

    Before the first one is trained, real images are judged as the runs will be.

    Args:
        grid: The grid.
        registry: Where names are looked up.
        silent: Leave out the observer that prints.
        begin: Called before each run.
        advance: Called with what is being done, the number done, the total.

    Raises:
        GentkError: No run could be judged so.
    """
    pending = [plot for plot in grid.plots if not _settled(grid, plot)]
    if pending and not any(_is_judged(plot, grid.measure, registry) for plot in pending):
        _rehearse(grid, pending, registry, advance)
    if pending:
        # What cannot be written shows before hours of training.
        grid.rows.parent.mkdir(parents=True, exist_ok=True)
        journal.append(grid.rows, [])
    for plot in pending:
        # Another process may have made it meanwhile.
        if plot.resolved is None or _settled(grid, plot):
            continue
        begin(plot)
        row = _made(plot, plot.resolved, grid, registry, silent, advance)
        journal.append(grid.rows, [row])


def _settled(grid: Grid, plot: Plot) -> bool:
    """Say whether there is nothing more to do for a run."""
    if plot.resolved is None:
        return True
    row = _latest(grid.rows).get(_key(plot.resolved, grid.measure))
    return row is not None and ("figures" in row or row.get("kind", FINAL) == FINAL)


def _is_judged(plot: Plot, measure: Plan, registry: Registry) -> bool:
    """Say whether a run was made and judged elsewhere."""
    try:
        run = finished_run(plot.resolved, registry) if plot.resolved is not None else None
        if run is None or run.result is None:
            return False
        return recorded(run.folder.path, run.result["steps"], measure, registry) is not None
    except GentkError:
        return False


def _rehearse(
    grid: Grid, plots: Sequence[Plot], registry: Registry, advance: Advance | None
) -> None:
    """Judge the data of the runs that are to be made; refuse if that is possible for none."""
    recipes = {p.resolved.recipe.data: p.resolved.recipe for p in plots if p.resolved is not None}
    errors = []
    for data, r in recipes.items():
        try:
            rehearse(data, grid.measure, Context(registry, r.device, r.threads, advance=advance))
        except GentkError as error:
            errors.append(error)
    if len(errors) == len(recipes):
        raise errors[0]


def _made(
    plot: Plot,
    resolved: Resolved,
    grid: Grid,
    registry: Registry,
    silent: bool,
    advance: Advance | None,
) -> dict[str, Any]:
    """Make and judge one run, and return its row."""
    r = resolved.recipe
    kept = {key: value for key, value in plot.flags.items() if key not in ("seed", "out")}
    row: dict[str, Any] = {
        "key": _key(resolved, grid.measure),
        "row": plot.name,
        "seed": plot.seed,
        "folder": str(resolved.folder()),
        "recipe": grid.recipe,
        "flags": kept,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    observers = None
    try:
        if silent:
            names = [n for n in r.observer if Selection.parse(n).name != "progress"]
            observers = [cast(Observer, registry.build("observer", name)[0]) for name in names]
        run = make(resolved, registry, observers, advance)
        assert run.result is not None
        context = Context(registry, r.device, r.threads, advance=advance)
        settled = judge(run.folder.path, run.result["steps"], grid.measure, context)
    except GentkError as error:
        return {**row, "failed": str(error), "kind": type(error).__name__}
    return {**row, "result": run.result, "figures": [row_of(m) for m in settled.measurements]}


def _key(resolved: Resolved, measure: Plan) -> str:
    """Return what a row is found by: the run, its budget, and how it is judged."""
    r = resolved.recipe
    text = json.dumps([r.identity(), r.steps, r.minutes, measure.words()])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def read_rows(
    path: Path, notice: Callable[[str], None] = lambda message: None
) -> list[dict[str, Any]]:
    """Return the rows written down so far; what was cut off in writing is passed over.

    Args:
        path: The file.
        notice: Called with a sentence about what was passed over.

    Raises:
        UsageError: The file holds something else.
    """
    try:
        return [row for row in journal.read(path, notice) if row["key"] and row["row"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} does not hold a grid's rows ({type(error).__name__}); type another file with "
            "--rows"
        ) from error


def _latest(path: Path) -> dict[str, dict[str, Any]]:
    """Return the last row of each key."""
    return {row["key"]: row for row in read_rows(path)}


def _told(grid: Grid) -> list[tuple[Plot, dict[str, Any]]]:
    """Return the runs of a grid that have a row, with it."""
    rows = _latest(grid.rows)
    keys = [(plot, _key(plot.resolved, grid.measure)) for plot in grid.plots if plot.resolved]
    return [(plot, rows[key]) for plot, key in keys if key in rows]


def entries_of(grid: Grid) -> list[Entry]:
    """Return the runs of a grid that have figures."""
    return [
        Entry(plot.name, plot.seed, [validated(m) for m in row["figures"]], row["folder"])
        for plot, row in _told(grid)
        if "figures" in row
    ]


def failures_of(grid: Grid) -> list[tuple[Plot, str]]:
    """Return the runs of a grid that failed, and why."""
    return [(plot, row["failed"]) for plot, row in _told(grid) if "failed" in row]
