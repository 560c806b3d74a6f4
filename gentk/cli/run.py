"""`gentk run`: train a recipe, or go on with it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from ..printable import printable
from .flags import HELP, key_options
from .sections import SectionedCommand, SectionedOption

if TYPE_CHECKING:
    from ..registry import Registry
    from ..runs.trained import Run

__all__ = ["command"]

LAST = "What comes out"
"""The section of the flags that are no keys of a recipe."""


def _parameters() -> list[click.Parameter]:
    flags: list[click.Parameter] = [click.Argument(["recipe"], required=False), *key_options()]
    for name, metavar, text in (
        ("--seeds", "N", "Make N runs, their seeds from --seed on; folders end in -seed0, ..."),
        ("--evaluate-every", "N", "Figures every N steps and at the end, in figures.jsonl."),
    ):
        flags.append(
            SectionedOption(
                [name], section=LAST, metavar=metavar, type=click.IntRange(1), help=text
            )
        )
    switches = {
        "--dry-run": "Build everything, without data or weights, and print the resolved recipe.",
        "--quiet": HELP["--quiet"],
    }
    for name, text in switches.items():
        flags.append(SectionedOption([name], section=LAST, is_flag=True, help=text))
    return flags


@click.command(
    cls=SectionedCommand, params=_parameters(), short_help="Train a recipe, or go on with it."
)
def command(
    *,
    recipe: str | None,
    seeds: int | None,
    evaluate_every: int | None,
    dry_run: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Train RECIPE (a name or a TOML file; quickstart without one), flags laid over it.

    The same command again goes on where it stopped, also with a larger budget; a finished run
    prints its result. Components are written NAME[:ARGUMENT][,KEY=VALUE...]: see `gentk list`.

    \b
    gentk run
    gentk run --extractor timm:vgg19 --loss moments --estimator ama
    gentk run --data folder:photos,size=64 --minutes 30 --out runs/photos
    gentk run gfmn-cifar10 --batch 512 --chunk 64 --dry-run
    gentk run --seeds 3 --evaluate-every 500
    """
    from ..registry import Registry

    given = {key: value for key, value in flags.items() if value not in (None, ())}
    registry = Registry()
    if evaluate_every is not None:
        given["observer"] = _evaluating(recipe, given, registry, evaluate_every, quiet)
    if seeds is not None:
        _run_seeds(recipe, given, registry, seeds, dry_run, quiet, evaluate_every)
    elif dry_run:
        _dry_run(recipe, given, registry)
    else:
        made = _train(recipe, given, registry, quiet)
        _settle(made, evaluate_every, quiet)
        _echo_result(made)


def _settle(run: Run, every: int | None, quiet: bool) -> None:
    """Judge the end of a run that was finished before anybody asked for figures."""
    from ..evaluation.observer import Evaluator

    if every is not None:
        Evaluator(every=every, quiet=quiet).settle(run.folder.path, run.recipe.device)


def _evaluating(
    recipe: str | None, flags: dict[str, Any], registry: Registry, every: int, quiet: bool
) -> list[str]:
    """Return the recipe's observers and the one that evaluates."""
    from ..runs.composing import resolve_recipe

    observers = resolve_recipe(recipe, flags, registry=registry).recipe.observer
    return [*observers, f"evaluate,every={every}" + (",quiet=true" if quiet else "")]


def _run_seeds(
    recipe: str | None,
    flags: dict[str, Any],
    registry: Registry,
    count: int,
    dry_run: bool,
    quiet: bool,
    every: int | None,
) -> None:
    """Make several runs, or say which they would be."""
    from ..runs.composing import check, resolve_recipe
    from ..runs.seeds import seeded

    runs = seeded(recipe, flags, count, registry)
    for each in runs:
        # All before the first one trains.
        check(resolve_recipe(recipe, each, registry=registry), registry)
    for each in runs:
        if dry_run:
            click.echo(f"{each['out']} (seed {each['seed']})")
        else:
            made = _train(recipe, each, registry, quiet)
            _settle(made, every, quiet)
            click.echo(f"{made.folder.path}: loss {_written((made.result or {}).get('loss'))}")
    if not dry_run:
        places = printable(" ".join(shlex.quote(each["out"]) for each in runs))
        click.echo(f"\nnext:   for run in {places}; do gentk evaluate $run; done")
        click.echo(f"        gentk compare {places}")


def _dry_run(recipe: str | None, flags: dict[str, Any], registry: Registry) -> None:
    from ..runs.composing import resolve_recipe
    from ..runs.rehearsal import rehearse
    from .resolved import echo

    resolved = resolve_recipe(recipe, flags, registry=registry)
    rehearse(resolved, registry, lambda message: click.echo(f"note: {message}", err=True))
    echo(resolved)


def _train(recipe: str | None, flags: dict[str, Any], registry: Registry, quiet: bool) -> Run:
    from ..runs.training import run
    from .meter import Meter

    if quiet:
        flags = {**flags, "observer": _silent(recipe, flags, registry)}
    with Meter(quiet=quiet) as meter:

        def advance(label: str, done: int, total: int) -> None:
            meter.advance(label, done, total)
            if done >= total:
                meter.close()

        return run(recipe, registry=registry, advance=advance, **flags)


def _silent(recipe: str | None, flags: dict[str, Any], registry: Registry) -> list[str]:
    """Return the recipe's observers but the one that prints."""
    from ..runs.composing import resolve_recipe
    from ..selection import Selection

    observers = resolve_recipe(recipe, flags, registry=registry).recipe.observer
    return [text for text in observers if Selection.parse(text).name != "progress"]


def _echo_result(run: Run) -> None:
    """Print what came out and what to type next."""
    folder = run.folder.path
    rows = {"folder": str(folder), **(run.result or {})}
    grids = sorted(path for path in run.folder.samples.glob("*.png") if path.stem.isdigit())
    if grids:
        rows["samples"] = str(grids[-1])
    shown = ("folder", "steps", "images", "seconds", "loss", "samples")
    for key in shown:
        if key in rows:
            click.echo(f"{key:8}{printable(_written(rows[key]))}")
    place = printable(shlex.quote(str(folder)))
    click.echo(f"\nnext:   gentk sample {place}\n        gentk evaluate {place}")


def _written(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
