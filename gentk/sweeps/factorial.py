"""Factorial sweeps: every combination of values of some keys of a recipe, at one budget."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from ..budget import UNITS
from ..errors import GentkError, UsageError, did_you_mean
from ..evaluation.plan import Plan
from ..overlay import SHORT
from ..recipe import Recipe
from ..registry import Registry
from ..runs.composing import check
from ..runs.resolving import resolve_recipe
from ..runs.stages import plan as stages_of
from .trial import Flags, Sweep, Trial, parts_of

__all__ = ["Level", "budget_note", "check_rows", "factorial"]

Level = str | tuple[str, ...]
"""A value that a key takes: a text, or several for a key that has several components."""

OWN = frozenset({"seed", "out", *UNITS})
"""Keys that a sweep sets itself, or that must be equal in all its runs."""


def factorial(
    recipe: str | None,
    flags: Flags,
    over: Mapping[str, Sequence[Level]],
    registry: Registry,
    *,
    seeds: Sequence[int] = (0,),
    rows: Path | None = None,
    plan: Plan | None = None,
) -> Sweep:
    """Return the sweep of all combinations; those that do not fit are in it, with the reason.

    Args:
        recipe: What all runs start from.
        flags: What is laid over it in all runs.
        over: Key of a recipe -> the values it takes.
        registry: Where names are looked up.
        seeds: The seeds of each combination.
        rows: Where finished runs are written down; by default in the sweep's folder.
        plan: How they are judged.

    Raises:
        UsageError: A key is none of a recipe, budgets would differ, or rows cannot be kept there.
        GentkError: The plan asks for something that there is not.
    """
    for key in over:
        if key in UNITS:
            raise UsageError(
                f"a sweep compares at one budget, so it is not over {key}; type --{key} once for all of "
                "its runs"
            )
        if key in OWN or (key not in Recipe.model_fields and key not in SHORT):
            raise UsageError(_instead(key))
    plan = plan or Plan()
    plan.check(registry)
    over = {key: list(dict.fromkeys(values)) for key, values in over.items()}
    out = _folder(recipe, flags, over)
    check_rows(rows, out)
    trials: list[Trial] = []
    known: dict[str, str] = {}
    for seed in seeds:
        for number, values in enumerate(itertools.product(*over.values())):
            texts = [value if isinstance(value, str) else "+".join(value) for value in values]
            name = " ".join(map("=".join, zip(over, texts, strict=True))) or "the recipe"
            slug = "-".join(re.findall(r"\w+", "-".join(texts)))[:60] or "run"
            levels: dict[str, JsonValue] = {
                key: value if isinstance(value, str) else list(value)
                for key, value in zip(over, values, strict=True)
            }
            place: dict[str, JsonValue] = {
                "seed": seed,
                "out": str(out / f"{number:02d}-{slug}-seed{seed}"),
            }
            trial = _trial(name, seed, recipe, {**flags, **levels, **place}, plan, registry)
            key = trial.key if trial.refused is None else name
            twin = known.setdefault(key, name)
            if twin != name:
                reason = f"it is the run {twin!r} under another name; drop one of the two"
                trial = Trial(name, seed, (plan,), flags=trial.flags, refused=reason)
            trials.append(trial)
    return Sweep(trials, rows or out / "rows.jsonl", out)


def check_rows(rows: Path | None, out: Path) -> None:
    """Refuse a file of rows that cannot be written."""
    if rows is not None and (rows.is_dir() or not (rows.parent.is_dir() or rows.parent == out)):
        raise UsageError(
            f"--rows {rows} is not a file in a folder that exists; type --rows rows.jsonl"
        )


def _folder(recipe: str | None, flags: Flags, over: Mapping[str, Sequence[Level]]) -> Path:
    """Return where the runs go: `out`, or a folder named by what is varied."""
    if flags.get("out"):
        return Path(str(flags["out"]))
    text = json.dumps([recipe, sorted(flags.items()), list(over.items())], default=list)
    mark = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    # What an earlier version began under its own name goes on there.
    before = Path(f"runs/grid-{mark}")
    return before if before.is_dir() else Path(f"runs/sweep-{mark}")


def _instead(key: str) -> str:
    if key == "seed":
        return "seeds are counted and no values that a sweep is over; type --seeds 3"
    if key == "out":
        return "every run has a folder of its own; type --out FOLDER for all of them"
    component, dot, option = key.partition(".")
    if dot and component in Recipe.model_fields:
        return f"options stand alone behind the component's kind; type --over {component}={option}=VALUE"
    hint = did_you_mean(key, {*Recipe.model_fields, *SHORT} - OWN)
    return f"a recipe has no key {key!r}; {hint}type --over KEY=VALUE"


def _trial(
    name: str, seed: int, recipe: str | None, flags: Flags, plan: Plan, registry: Registry
) -> Trial:
    """Resolve and check one run."""
    try:
        resolved = resolve_recipe(recipe, flags, registry=registry)
        for part in (*(stage for _, stage in stages_of(resolved, registry)), resolved):
            check(part, registry)
    except GentkError as error:
        return Trial(name, seed, (plan,), recipe=recipe, flags=flags, refused=str(error))
    parts = parts_of(resolved, registry)
    return Trial(name, seed, (plan,), parts, recipe, flags, resolved)


def budget_note(sweep: Sweep) -> str | None:
    """Return a sentence if runs of equal steps do not see equally many images; None if they do."""
    recipes = [trial.resolved.recipe for trial in sweep.trials if trial.resolved is not None]
    batches = sorted({r.batch for r in recipes if r.steps is not None})
    if len(batches) < 2:
        return None
    return (
        f"in as many steps, runs with batch={batches[-1]} make {batches[-1] / batches[0]:.3g} times as "
        f"many images as those with batch={batches[0]}; for a budget of time, type --minutes 5"
    )
