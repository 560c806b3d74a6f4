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

from ..errors import GentkError, NonFinite, UsageError
from ..interfaces import Observer
from ..recipe import Recipe, Resolved
from ..registry import Registry
from ..selection import Selection
from .compare import Entry
from .composition import check, resolve_recipe
from .evaluation import evaluate
from .family import Advance
from .figures import keep, read
from .stages import plan
from .training import make

__all__ = ["Grid", "Measure", "Plot", "entries_of", "finish", "lay_out", "read_rows"]

BUDGET = frozenset({"steps", "minutes"})
OWN = frozenset({"seed", "out", *BUDGET})
"""Keys that a grid sets itself, or that must be equal in all its runs."""


@dataclass(frozen=True)
class Measure:
    """How the runs of a grid are judged, as `gentk evaluate` does."""

    data: str | None = None
    metrics: tuple[str, ...] = ("fd",)
    extractors: tuple[str, ...] = ()
    count: int = 5000

    def words(self) -> list[str]:
        """Return the options of `gentk evaluate`."""
        words = [word for metric in self.metrics for word in ("--metric", metric)]
        words += [word for text in self.extractors for word in ("--extractor", text)]
        words += ["--data", self.data] if self.data is not None else []
        return [*words, "-n", str(self.count)]


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
    measure: Measure = field(default_factory=Measure)


def lay_out(
    recipe: str | None,
    flags: Mapping[str, Any],
    over: Mapping[str, Sequence[str]],
    registry: Registry,
    *,
    seeds: int = 1,
    rows: Path | None = None,
    measure: Measure | None = None,
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
        UsageError: A key is none of a recipe, or budgets would differ.
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
    text = json.dumps([recipe, sorted(flags.items()), list(over.items())], default=list)
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    out = Path(flags.get("out") or f"runs/grid-{digest}")
    first = int(flags.get("seed") or 0)
    plots = []
    for seed in range(first, first + seeds):
        for number, values in enumerate(itertools.product(*over.values())):
            levels = dict(zip(over, values, strict=True))
            name = " ".join(f"{key}={value}" for key, value in levels.items()) or "the recipe"
            slug = "-".join(re.findall(r"\w+", "-".join(values)))[:60] or "run"
            place = {"seed": seed, "out": str(out / f"{number:02d}-{slug}-seed{seed}")}
            plots.append(_plot(name, seed, recipe, {**flags, **levels, **place}, registry))
    return Grid(recipe, plots, rows or out / "rows.jsonl", measure or Measure())


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
        for part in (*(stage for _, stage in plan(resolved, registry)), resolved):
            check(part, registry)
    except GentkError as error:
        return Plot(name, seed, flags, refused=str(error))
    return Plot(name, seed, flags, resolved)


def finish(
    grid: Grid,
    registry: Registry,
    *,
    silent: bool = False,
    begin: Callable[[Plot], None] = lambda plot: None,
    advance: Advance | None = None,
) -> None:
    """Make and judge every run that has no row yet; one that diverges has a row that says so.

    Args:
        grid: The grid.
        registry: Where names are looked up.
        silent: Leave out the observer that prints.
        begin: Called before each run.
        advance: Called with what is being done, the number done, the total.
    """
    done = {row["key"] for row in read_rows(grid.rows)}
    for plot in grid.plots:
        if plot.resolved is None or _key(plot.resolved, grid.measure) in done:
            continue
        begin(plot)
        row = _made(plot, plot.resolved, grid, registry, silent, advance)
        grid.rows.parent.mkdir(parents=True, exist_ok=True)
        with grid.rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _made(
    plot: Plot,
    resolved: Resolved,
    grid: Grid,
    registry: Registry,
    silent: bool,
    advance: Advance | None,
) -> dict[str, Any]:
    """Make and judge one run, and return its row."""
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
    if silent:
        names = [n for n in resolved.recipe.observer if Selection.parse(n).name != "progress"]
        observers = [cast(Observer, registry.build("observer", name)[0]) for name in names]
    try:
        run = make(resolved, registry, observers, advance)
    except NonFinite as error:
        return {**row, "failed": str(error)}
    assert run.result is not None
    figures = _figures(run.folder.path, run.result["steps"], grid.measure, resolved, advance)
    return {**row, "result": run.result, "figures": figures}


def _figures(
    folder: Path, steps: int, measure: Measure, resolved: Resolved, advance: Advance | None
) -> list[dict[str, Any]]:
    """Return a run's figures, judging it if it has not been judged in this way."""
    for again in (False, True):
        rows = [row for row in read(folder, steps) if _fits(row, measure)]
        judged = {row["metric"] for row in rows if not row["trained_on"]}
        found = {
            (row["metric"], row["extractor"], row["figure"]): row
            for row in rows
            # Figures that stood beside the judge's are left where they are.
            if measure.extractors or not (row["trained_on"] and row["metric"] in judged)
        }
        if {metric for metric, _, _ in found} == set(measure.metrics):
            return [{k: v for k, v in row.items() if k != "steps"} for row in found.values()]
        if again:
            break
        made = evaluate(
            str(folder),
            data=measure.data,
            metrics=measure.metrics,
            extractors=measure.extractors,
            count=measure.count,
            beside=False,
            device=resolved.recipe.device,
            threads=resolved.recipe.threads,
            advance=advance,
        )
        keep(folder, made, steps)
    raise UsageError(f"the figures in {folder} cannot be read; delete its figures.jsonl")


def _fits(row: Mapping[str, Any], measure: Measure) -> bool:
    """Say whether a figure was measured as this grid measures."""
    protocol = row["protocol"]
    return (
        row["metric"] in measure.metrics
        and protocol["samples"] == measure.count
        and protocol["seed"] == 0
        and (not measure.extractors or row["extractor"] in measure.extractors)
        and measure.data in (None, protocol["reference"]["name"])
    )


def _key(resolved: Resolved, measure: Measure) -> str:
    """Return what a row is found by: the run, its budget, and how it is judged."""
    r = resolved.recipe
    text = json.dumps([r.identity(), r.steps, r.minutes, measure.words()])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows written down so far.

    Raises:
        UsageError: The file holds something else.
    """
    if not path.exists():
        return []
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if row["key"] and row["row"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} does not hold a grid's rows ({type(error).__name__}); type another file with "
            "--rows"
        ) from error


def entries_of(grid: Grid) -> list[Entry]:
    """Return the runs of a grid that have figures."""
    keys = {_key(plot.resolved, grid.measure) for plot in grid.plots if plot.resolved is not None}
    return [
        Entry(row["row"], row["seed"], row["figures"], row["folder"])
        for row in read_rows(grid.rows)
        if row["key"] in keys and "figures" in row
    ]
