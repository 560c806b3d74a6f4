"""`gentk grid`: every combination of some components, at one budget."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .flags import HELP, key_options
from .sections import SectionedCommand, SectionedOption

if TYPE_CHECKING:
    from ..registry import Registry
    from ..sweep.grid import Grid, Plot

__all__ = ["command"]


def _parameters() -> list[click.Parameter]:
    section = "What is varied"

    def option(name: str, text: str, **more: Any) -> SectionedOption:
        return SectionedOption([name], section=section, help=text, **more)

    flags: list[click.Parameter] = [
        click.Argument(["recipe"], required=False),
        option(
            "--over", "A value of a recipe's key; repeat it.", metavar="KEY=VALUE", multiple=True
        ),
        option(
            "--seeds", "Runs of each combination.", metavar="N", type=click.IntRange(1), default=1
        ),
    ]
    section = "How it is judged"
    flags += [
        option("--metric", HELP["--metric"], metavar="NAME", multiple=True),
        option("--judge", HELP["--extractor"], metavar="EXTRACTOR", multiple=True),
        option("--against", "The reference; the data's test split by default.", metavar="DATA"),
        option("-n", "Samples to compare.", metavar="N", type=click.IntRange(2), default=5000),
    ]
    section = "What comes out of it"
    flags += [
        option("--rows", "File of finished runs; FOLDER/rows.jsonl by default.", metavar="FILE"),
        option("--print", "Print the single commands and run none.", is_flag=True),
        option("--dry-run", "Say what would be run and what is refused.", is_flag=True),
        option("--markdown", HELP["--markdown"], is_flag=True),
        option("--json", HELP["--json"], is_flag=True),
        option("--png", HELP["--png"], metavar="FILE"),
        option("--quiet", HELP["--quiet"], is_flag=True),
    ]
    return [*flags, *key_options()]


@click.command(cls=SectionedCommand, params=_parameters(), short_help="Run all combinations.")
def command(
    *,
    recipe: str | None,
    over: tuple[str, ...],
    seeds: int,
    metric: tuple[str, ...],
    judge: tuple[str, ...],
    against: str | None,
    n: int,
    rows: str | None,
    dry_run: bool,
    markdown: bool,
    quiet: bool,
    png: str | None,
    **flags: Any,
) -> None:
    """Run every combination of the values of --over, from RECIPE and its flags, and judge all alike.

    The same command again goes on where it stopped: each finished run has a row in a file.
    Combinations that do not fit are shown as refused; a run that fails does not stop the others, and
    is tried again unless it diverged. All runs have one budget. Before the first is trained, real
    images are judged as it will be. What --print prints may run anywhere; the command itself then
    finds the finished runs and makes the table.

    \b
    gentk grid --over loss=moments --over loss=mmd --over batch=64 --over batch=256 --minutes 4 --seeds 3
    gentk grid RECIPE --over estimator=ma --over estimator=ama --print
    """
    from ..evaluation.plan import Plan
    from ..registry import Registry
    from ..sweep.grid import budget_note, lay_out
    from .compare import check_form

    printed, as_json = flags.pop("print"), flags.pop("json")
    given = {key: value for key, value in flags.items() if value not in (None, ())}
    picture = Path(png) if png else None
    check_form(markdown=markdown, as_json=as_json, png=picture)
    registry = Registry()
    measure = Plan(against, metric or ("fd",), judge, n)
    plan = lay_out(
        recipe,
        given,
        _levels(over),
        registry,
        seeds=seeds,
        rows=Path(rows) if rows else None,
        measure=measure,
    )
    note = budget_note(plan)
    if note is not None:
        click.echo(f"note: {note}", err=True)
    if printed or dry_run:
        _echo_plan(plan, printed, as_json)
        finished = failed = 0
    else:
        _finish(plan, registry, quiet)
        finished, failed = _echo(plan, markdown, as_json, picture)
    _echo_refused(plan)
    if all(plot.resolved is None for plot in plan.plots):
        click.get_current_context().exit(2)
    if failed and not finished:
        click.get_current_context().exit(1)


def _levels(over: Sequence[str]) -> dict[str, list[str]]:
    """Read KEY=VALUE; values of one key are gathered."""
    levels: dict[str, list[str]] = {}
    for text in over:
        key, equals, value = text.partition("=")
        if not equals or not value:
            raise click.UsageError(f"--over {text!r} has no value; write --over loss=moments")
        levels.setdefault(key.strip().replace("-", "_"), []).append(value)
    if not levels:
        raise click.UsageError(
            "a grid is over something; write --over loss=moments --over loss=mmd"
        )
    return levels


def _commands(grid: Grid, plot: Plot) -> str:
    """Return what makes and judges one run."""
    words = ["gentk", "run", *([grid.recipe] if grid.recipe else [])]
    for key, value in plot.flags.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            words += [f"--{key.replace('_', '-')}", str(item)]
    assert plot.resolved is not None
    r = plot.resolved.recipe
    options = grid.measure.words(r.device, r.threads)
    judge = ["gentk", "evaluate", str(plot.resolved.folder()), *options]
    return f"{shlex.join(words)} && {shlex.join(judge)}"


def _finish(grid: Grid, registry: Registry, quiet: bool) -> None:
    from ..sweep.grid import finish
    from .meter import Meter

    count = sum(plot.resolved is not None for plot in grid.plots)
    number = {id(plot): i for i, plot in enumerate(p for p in grid.plots if p.resolved is not None)}

    def begin(plot: Plot) -> None:
        if not quiet:
            click.echo(f"{number[id(plot)] + 1}/{count}: {plot.name}, seed {plot.seed}", err=True)

    with Meter(quiet=quiet) as meter:

        def advance(label: str, done: int, total: int) -> None:
            meter.advance(label, done, total)
            if done >= total:
                meter.close()

        finish(grid, registry, silent=quiet, begin=begin, advance=advance)


def _echo_plan(grid: Grid, printed: bool, as_json: bool) -> None:
    """Print what would be run."""
    runs = [plot for plot in grid.plots if plot.resolved is not None]
    lines = [_commands(grid, p) if printed else str(p.flags["out"]) for p in runs]
    if as_json:
        what = "command" if printed else "folder"
        told = [
            {"run": plot.name, "seed": plot.seed, what: line}
            for plot, line in zip(runs, lines, strict=True)
        ]
        click.echo(json.dumps({"runs": told, "refused": _refused(grid)}, indent=2))
        return
    for line in lines:
        click.echo(line)


def _echo(grid: Grid, markdown: bool, as_json: bool, png: Path | None) -> tuple[int, int]:
    """Print the table and what failed; return how many runs have figures and how many failed."""
    from ..sweep.comparison import tabulate
    from ..sweep.grid import entries_of, failures_of, read_rows
    from .compare import show

    notes: list[str] = []
    read_rows(grid.rows, notes.append)
    entries, failures = entries_of(grid), failures_of(grid)
    failed: dict[str, list[int]] = {}
    for plot, _ in failures:
        failed.setdefault(plot.name, []).append(plot.seed)
    more = {
        "refused": _refused(grid),
        "failed": [{"run": p.name, "seed": p.seed, "reason": why} for p, why in failures],
    }
    # A grid over data has no reference that is common to all of its runs.
    found = tabulate(entries, mixed=True, notes=notes, failed=failed)
    show(found, markdown=markdown, as_json=as_json, png=png, more=more)
    for plot, why in failures:
        click.echo(f"failed: {plot.name}, seed {plot.seed}: {why}", err=True)
    return len(entries), len(failures)


def _refused(grid: Grid) -> list[dict[str, str]]:
    """Return the combinations that do not fit, each once, and why."""
    told = dict.fromkeys((plot.name, plot.refused) for plot in grid.plots if plot.refused)
    return [{"run": name, "reason": str(reason)} for name, reason in told]


def _echo_refused(grid: Grid) -> None:
    for row in _refused(grid):
        click.echo(f"refused: {row['run']}: {row['reason']}", err=True)
