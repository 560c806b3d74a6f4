"""`gentk sweep`: the trials of a factorial or of a file, judged alike and compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..keys import KEYS as WHAT
from ..numerals import several_meant
from .completion import complete_levels, complete_recipes
from .flags import HELP, key_options
from .sections import SectionedCommand, SectionedOption

if TYPE_CHECKING:
    from ..sweeps.request import Request
    from .outcome import Form

__all__ = ["command"]

OF_FILES = ("page", "render", "only")
"""Parameters that mean something for sweep files only."""

IN_FILES = frozenset(
    {*OF_FILES, "recipe", "seed", "rows", "print", "dry_run", "markdown", "json", "png", "quiet"}
    | {"out", "device", "threads"}
)
"""Parameters that mean something for sweep files; all others stand in the file."""


def _parameters() -> list[click.Parameter]:
    section = "What is varied"

    def option(name: str, text: str, **more: Any) -> SectionedOption:
        return SectionedOption([name], section=section, help=text, **more)

    flags: list[click.Parameter] = [
        click.Argument(
            ["recipe"],
            required=False,
            metavar="[RECIPE|FILE.toml]",
            shell_complete=complete_recipes,
        ),
        option(
            "--over",
            "A value of a recipe's key; repeat it.",
            metavar="KEY=VALUE",
            multiple=True,
            shell_complete=complete_levels,
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
        option(
            "--rows",
            "File of finished trials; by default FILE.jsonl, or in the folder.",
            metavar="FILE",
        ),
        option("--page", "Of a sweep file: render its page, after each trial.", metavar="FILE.md"),
        option("--render", "Of a sweep file: make nothing, show what there is.", is_flag=True),
        option("--only", "Of a sweep file: rows to make, by name or pattern.", metavar="PATTERN"),
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
    seed: tuple[int, ...],
    metric: tuple[str, ...],
    judge: tuple[str, ...],
    against: str | None,
    n: int,
    rows: str | None,
    page: str | None,
    render: bool,
    only: str | None,
    dry_run: bool,
    markdown: bool,
    quiet: bool,
    png: str | None,
    **flags: Any,
) -> None:
    """Run every combination of the values of --over, from RECIPE and its flags, or the trials of a sweep
    FILE.toml, and judge all alike.

    The same command again goes on where it stopped: each finished trial has a row in a file, and
    several processes may work on it at once. What does not fit is shown as refused; a run that fails
    does not stop the others, and is tried again unless it diverged. The runs of --over have one budget.
    Before the first is trained, real images are judged as it will be. What --print prints may run
    anywhere; the command itself then finds the finished runs and makes the table.

    \b
    gentk sweep --over estimator=batch --over estimator=ama --minutes 4
    gentk sweep RECIPE --over lr=1e-3 --over lr=2e-3 --seeds 3 --print
    gentk sweep table.toml --page table.md
    """
    from ..evaluation.plan import Plan
    from ..library import is_sweep
    from ..registry import Registry
    from ..sweeps.factorial import budget_note, factorial
    from ..sweeps.outcome import outcome_of
    from ..sweeps.request import Request
    from .compare import check_form
    from .outcome import Form, command_line, echo_outcome, echo_planned, end, finish_watched

    printed, as_json = flags.pop("print"), flags.pop("json")
    given = {key: value for key, value in flags.items() if value not in (None, ())}
    form = Form(printed, dry_run, markdown, as_json, Path(png) if png else None, quiet)
    check_form(markdown=markdown, as_json=as_json, png=form.png)
    place = Path(rows) if rows else None
    context, registry = click.get_current_context(), Registry()
    if recipe is not None and recipe.endswith(".toml") and not over:
        told = [name for name in context.params if name not in IN_FILES]
        refuse_typed(context, told, "stands in the sweep file; change it there, or type --over too")
        request = Request(
            Path(recipe),
            registry,
            rows=place,
            out=Path(given.pop("out")) if "out" in given else None,
            page=Path(page) if page else None,
            only=only or "*",
            seeds=seed,
            own=given,
            checked=not render,
        )
        _answer(request, form, render=render)
        return
    refuse_typed(context, OF_FILES, "is for sweep files; type: gentk sweep FILE.toml")
    if recipe is not None and is_sweep(recipe):
        raise click.UsageError(f"{recipe} is a sweep file and says itself what varies; drop --over")
    plan = Plan(against, metric or ("fd",), judge, n)
    levels, numbers = _levels(over, recipe), _seeds(seed, seeds)
    sweep = factorial(recipe, given, levels, registry, seeds=numbers, rows=place, plan=plan)
    note = budget_note(sweep)
    if note is not None:
        click.echo(f"note: {note}", err=True)
    if printed or dry_run:
        echo_planned(sweep, command_line, form)
    else:
        finish_watched(sweep, lambda making: replace(making, registry=registry), quiet)
        echo_outcome(outcome_of(sweep), form)
    end(sweep, form)


def _answer(request: Request, form: Form, *, render: bool) -> None:
    """Make the trials of a sweep file, or say which are missing, and show what there is."""
    from ..sweeps.outcome import outcome_of
    from ..sweeps.page import claims
    from .outcome import echo_outcome, echo_planned, end, finish_watched

    request.check()
    declared = request.declared()
    if form.printed or form.dry_run:
        tries, rows = request.tries(declared), request.wanted(declared)
        sweep = replace(rows, trials=[*tries.trials, *rows.trials])
        echo_planned(sweep, request.command_line, form)
        for note in [*request.edits(), *request.notes()]:
            click.echo(f"note: {note}", err=True)
    else:
        if not render:
            request.finish(
                lambda sweep, making, label: finish_watched(sweep, making, form.quiet, label)
            )
        request.write_page()
        declared = request.declared()
        sweep = declared.sweep
        # Whoever waited for trials was told of edits before these were made.
        notes = [*(request.edits() if render else ()), *request.notes()]
        echo_outcome(outcome_of(sweep, claims=claims(declared), notes=notes), form)
    end(sweep, form)


def _levels(over: Sequence[str], recipe: str | None) -> dict[str, list[str]]:
    """Read KEY=VALUE; values of one key are gathered."""
    from ..library import beside

    levels: dict[str, list[str]] = {}
    for text in over:
        key, equals, value = text.partition("=")
        if not equals or not value:
            raise click.UsageError(f"--over {text!r} has no value; {_instead(text)}")
        several = several_meant(value) if value[0] in "[(" or "|" in value else []
        if several:
            each = " ".join(f"--over {key}={one}" for one in several)
            raise click.UsageError(f"--over takes one value at a time; type {each}")
        levels.setdefault(key.strip().replace("-", "_"), []).append(value)
    if not levels and recipe is not None and "=" in recipe:
        raise click.UsageError(f"what is varied stands behind --over; type --over {recipe}")
    if not levels and recipe is not None and (file := beside(recipe)):
        raise click.UsageError(
            f"{recipe} is no sweep, but there is a file of that name; type {file}"
        )
    if not levels:
        raise click.UsageError(
            "a sweep is over something; write --over loss=moments --over loss=mmd"
        )
    return levels


def _instead(text: str) -> str:
    """Return what to type for a level without a value."""
    key = re.split(r"[:= ]", text, maxsplit=1)[0].replace("-", "_")
    value = text[len(key) + 1 :].strip() or "VALUE"
    return f"write --over {key}={value}" if key in WHAT else "write --over loss=moments"


def _seeds(typed: Sequence[int], count: int) -> list[int]:
    """Return the seeds: those that are typed, or so many from the only one on."""
    if len(typed) > 1:
        if count > 1:
            raise click.UsageError("several --seed are all seeds there are; drop --seeds")
        return list(dict.fromkeys(typed))
    first = typed[0] if typed else 0
    return list(range(first, first + count))


def refuse_typed(context: click.Context, names: Iterable[str], why: str) -> None:
    """Refuse flags that were typed and mean nothing here."""
    known = set(names)
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if parameter.name in known and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} {why}")
