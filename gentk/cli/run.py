"""`gentk run`: train a recipe, or go on with it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from ..launch import launched
from ..printable import printable
from .completion import complete_recipes
from .flags import HELP, key_options
from .sections import SectionedCommand, SectionedOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..recipe import Resolved
    from ..registry import Registry
    from ..runs.folder import RunFolder
    from ..runs.trained import Run

__all__ = ["command"]

LAST = "What comes out"
"""The section of the flags that are no keys of a recipe."""


def _parameters() -> list[click.Parameter]:
    flags: list[click.Parameter] = [
        click.Argument(["recipe"], required=False, shell_complete=complete_recipes),
        *key_options(),
    ]
    for name, metavar, text in (
        ("--seeds", "N", "Make N runs, their seeds from --seed on; folders end in -seed0, ..."),
        ("--evaluate-every", "N", "Metric values every N steps and at the end, in figures.jsonl."),
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
    """Train RECIPE (a name or a TOML file; gfmn without one), flags laid over it.

    The same command again goes on where it stopped, also with a larger budget; a finished run
    prints its result. Components are written NAME[:ARGUMENT][,KEY=VALUE...]: see `gentk list`.

    \b
    gentk run quickstart
    gentk run --extractor timm:vgg19 --loss moments --estimator ama
    gentk run --data folder:photos,size=64 --minutes 30 --out runs/photos
    gentk run gfmn-cifar10 --batch 512 --chunk 64 --dry-run
    gentk run --seeds 3 --evaluate-every 500
    """
    from ..registry import Registry
    from ..runs.folder import RunFolder
    from ..runs.resolving import resolve_recipe

    given = {key: value for key, value in flags.items() if value not in (None, ())}
    registry = Registry()
    if evaluate_every is not None:
        more = f"+evaluate,every={evaluate_every}" + (",quiet=true" if quiet else "")
        given["observer"] = (*given.get("observer", ()), more)
    if seeds is not None:
        _run_seeds(recipe, given, registry, seeds, dry_run, quiet, evaluate_every)
    elif dry_run:
        _dry_run(recipe, given, registry)
    else:
        resolved = resolve_recipe(recipe, given, registry=registry)
        folder = RunFolder(resolved.folder())
        result = folder.finished(resolved.recipe)
        if result is None:
            result = _train(recipe, given, registry, quiet).result
        elif not quiet:
            click.echo(f"note: {_finished(resolved, result)}", err=True)
            _tell_of_edits(folder, resolved, registry)
        _settle(folder, resolved.recipe.device, evaluate_every, quiet)
        _echo_result(folder, result or {})


def _finished(resolved: Resolved, result: Mapping[str, Any]) -> str:
    """Say that a run is finished, and what its budget has to do with that."""
    r, steps = resolved.recipe, result["steps"]
    if r.steps is not None and steps > r.steps:
        return (
            f"this run has {steps:,} steps already, more than the {r.steps:,} that are asked for, and "
            "stays as it is; for a run of that length type another --out"
        )
    return f"this run is finished after {steps:,} steps; to go on with it type a larger --steps"


def _tell_of_edits(folder: RunFolder, resolved: Resolved, registry: Registry) -> None:
    """Say which parts of a finished run were edited since; without torch where none could be."""
    record = folder.read()
    if record.get("code"):
        from ..runs.edited import edited

        since = edited(record, resolved, registry, finished=True)
        if since is not None:
            click.echo(f"note: {since}", err=True)


def _settle(folder: RunFolder, device: str, every: int | None, quiet: bool) -> None:
    """Judge the end of a run that was finished before anybody asked for figures."""
    if every is not None and launched().rank == 0:
        from ..evaluation.observer import Evaluator

        Evaluator(every=every, quiet=quiet).settle(folder.path, device)


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
    from ..runs.composing import check
    from ..runs.resolving import resolve_recipe
    from ..runs.seeds import seeded

    runs = seeded(recipe, flags, count, registry)
    for each in runs:
        # All before the first one trains.
        check(resolve_recipe(recipe, each, registry=registry), registry)
    for each in runs:
        if dry_run:
            click.echo(f"{each['out']} (seed {each['seed']})")
        else:
            finished = _train(recipe, each, registry, quiet)
            _settle(finished.folder, finished.recipe.device, every, quiet)
            click.echo(
                f"{finished.folder.path}: loss {_written((finished.result or {}).get('loss'))}"
            )
    if not dry_run:
        places = printable(" ".join(shlex.quote(each["out"]) for each in runs))
        click.echo(f"\nnext:   for run in {places}; do gentk evaluate $run; done")
        click.echo(f"        gentk compare {places}")


def _dry_run(recipe: str | None, flags: dict[str, Any], registry: Registry) -> None:
    from ..runs.rehearsal import rehearse
    from ..runs.resolving import resolve_recipe
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

        def warn(message: str) -> None:
            meter.close()
            if not quiet:
                click.echo(f"note: {printable(message)}", err=True)

        return run(recipe, registry=registry, advance=advance, warn=warn, **flags)


def _silent(recipe: str | None, flags: dict[str, Any], registry: Registry) -> list[str]:
    """Return the recipe's observers but the one that prints."""
    from ..runs.resolving import resolve_recipe
    from ..selection import Selection

    observers = resolve_recipe(recipe, flags, registry=registry).recipe.observer
    return [text for text in observers if Selection.parse(text).name != "progress"]


def _echo_result(run: RunFolder, result: Mapping[str, Any]) -> None:
    """Print what came out and what to type next."""
    folder = run.path
    rows = {"folder": str(folder), **result}
    grids = run.grids()
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
