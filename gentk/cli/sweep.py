"""`gentk sweep`: the trials of a factorial or of a file, judged alike and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .flags import HELP, key_options
from .sections import SectionedCommand, SectionedOption

if TYPE_CHECKING:
    from ..registry import Registry
    from ..sweep.trial import Sweep

__all__ = ["command"]


def _parameters() -> list[click.Parameter]:
    section = "What is varied"

    def option(name: str, text: str, **more: Any) -> SectionedOption:
        return SectionedOption([name], section=section, help=text, **more)

    flags: list[click.Parameter] = [
        click.Argument(["recipe"], required=False, metavar="[RECIPE|FILE.toml]"),
        option(
            "--over", "A value of a recipe's key; repeat it.", metavar="KEY=VALUE", multiple=True
        ),
        option(
            "--seeds", "Runs of each combination.", metavar="N", type=click.IntRange(1), default=1
        ),
        option("--seed", "The first seed; repeated, these.", metavar="N", type=int, multiple=True),
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
        option("--rows", "File of finished trials; FOLDER/rows.jsonl by default.", metavar="FILE"),
        option("--print", "Print the single commands and run none.", is_flag=True),
        option("--dry-run", "Say what would be run and what is refused.", is_flag=True),
        option("--markdown", HELP["--markdown"], is_flag=True),
        option("--json", HELP["--json"], is_flag=True),
        option("--png", HELP["--png"], metavar="FILE"),
        option("--quiet", HELP["--quiet"], is_flag=True),
    ]
    return [*flags, *key_options(skip=("--seed",))]


@click.command(cls=SectionedCommand, params=_parameters(), short_help="Run and compare many.")
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
    seed: tuple[int, ...],
    **flags: Any,
) -> None:
    """Run every combination of the values of --over, from RECIPE and its flags, and judge all alike.

    The same command again goes on where it stopped: each finished trial has a row in a file, and
    several processes may work on it at once. Combinations that do not fit are shown as refused; a run
    that fails does not stop the others, and is tried again unless it diverged. All runs have one
    budget. Before the first is trained, real images are judged as it will be. What --print prints may
    run anywhere; the command itself then finds the finished runs and makes the table.

    \b
    gentk sweep --over loss=moments --over loss=mmd --over batch=64 --over batch=256 --minutes 4
    gentk sweep RECIPE --over estimator=ma --over estimator=ama --print
    """
    from ..evaluation.plan import Plan
    from ..registry import Registry
    from ..sweep.factorial import budget_note, factorial
    from .compare import check_form

    printed, as_json = flags.pop("print"), flags.pop("json")
    given = {key: value for key, value in flags.items() if value not in (None, ())}
    picture = Path(png) if png else None
    check_form(markdown=markdown, as_json=as_json, png=picture)
    registry = Registry()
    sweep = factorial(
        recipe,
        given,
        _levels(over),
        registry,
        seeds=_seeds(seed, seeds),
        rows=Path(rows) if rows else None,
        plan=Plan(against, metric or ("fd",), judge, n),
    )
    note = budget_note(sweep)
    if note is not None:
        click.echo(f"note: {note}", err=True)
    _finish(sweep, registry, printed, dry_run, quiet, markdown, as_json, picture)


def _finish(
    sweep: Sweep,
    registry: Registry,
    printed: bool,
    dry_run: bool,
    quiet: bool,
    markdown: bool,
    as_json: bool,
    picture: Path | None,
) -> None:
    """Make what is missing, or say what that is, and print the table."""
    from dataclasses import replace

    from .outcome import command_line, echo_outcome, echo_planned, echo_refused, finish_watched

    finished = failed = 0
    if printed or dry_run:
        echo_planned(sweep, command_line if printed else None, as_json)
    else:
        finish_watched(sweep, lambda making: replace(making, registry=registry), quiet)
        finished, failed = echo_outcome(sweep, markdown=markdown, as_json=as_json, png=picture)
    echo_refused(sweep)
    if all(trial.refused is not None for trial in sweep.trials):
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
            "a sweep is over something; write --over loss=moments --over loss=mmd"
        )
    return levels


def _seeds(typed: Sequence[int], count: int) -> list[int]:
    """Return the seeds: those that are typed, or so many from the only one on."""
    if len(typed) > 1:
        if count > 1:
            raise click.UsageError("several --seed are all seeds there are; drop --seeds")
        return list(dict.fromkeys(typed))
    first = typed[0] if typed else 0
    return list(range(first, first + count))
