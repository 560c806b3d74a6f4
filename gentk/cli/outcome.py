"""What a sweep would run, and what came of it, as it is printed."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from ..sweeps.finish import Making
    from ..sweeps.outcome import SweepOutcome
    from ..sweeps.trial import Sweep, Trial

__all__ = ["Form", "command_line", "echo_outcome", "echo_planned", "end", "finish_watched"]


@dataclass(frozen=True)
class Form:
    """What is printed of a sweep.

    Attributes:
        printed: The single commands, of which none is run.
        dry_run: What would be run.
        markdown: A Markdown table.
        as_json: JSON.
        png: Where the table is drawn, too.
        quiet: No progress.
    """

    printed: bool = False
    dry_run: bool = False
    markdown: bool = False
    as_json: bool = False
    png: Path | None = None
    quiet: bool = False


def finish_watched(
    sweep: Sweep, making: Callable[[Making], Making], quiet: bool, label: str = ""
) -> None:
    """Finish a sweep and say on stderr which trial is being made and how far it is."""
    from ..sweeps.finish import Making, finish
    from .meter import Meter

    trials = [trial for trial in sweep.trials if trial.refused is None and trial.source is None]
    number = {trial: index for index, trial in enumerate(trials, 1)}

    def begin(trial: Trial) -> None:
        if not quiet:
            text = f"{label}{number[trial]}/{len(trials)}: {trial.name}, seed {trial.seed}"
            click.echo(text, err=True)

    def notice(message: str) -> None:
        click.echo(f"note: {message}", err=True)

    with Meter(quiet=quiet) as meter:

        def advance(what: str, done: int, total: int) -> None:
            meter.advance(what, done, total)
            if done >= total:
                meter.close()

        made_with = Making(silent=quiet, begin=begin, advance=advance, notice=notice)
        finish(sweep, making(made_with))


def echo_planned(sweep: Sweep, command: Callable[[Trial], str], form: Form) -> None:
    """Print what would be run: commands, or folders and the images that are judged."""
    commands = command if form.printed else None
    trials = [trial for trial in sweep.trials if trial.refused is None]
    lines = [commands(trial) if commands else _place(trial) for trial in trials]
    if form.as_json:
        what = "command" if commands else "folder"
        runs = [
            {"run": trial.name, "seed": trial.seed, what: line}
            for trial, line in zip(trials, lines, strict=True)
        ]
        click.echo(json.dumps({"runs": runs, "refused": _refused(sweep)}, indent=2))
        return
    # One command makes all settings that are tried for a row.
    for line in dict.fromkeys(lines):
        click.echo(line)


def _place(trial: Trial) -> str:
    if trial.source is not None:
        return f"{trial.name}, seed {trial.seed}: the row of {trial.source.file.stem}"
    if trial.resolved is None:
        return trial.given.name if trial.given else trial.name
    return str(trial.resolved.folder())


def command_line(trial: Trial) -> str:
    """Return what makes and judges one run."""
    from ..sweeps.trial import command_of

    assert trial.resolved is not None and trial.flags is not None
    r = trial.resolved.recipe
    options = [word for plan in trial.plans for word in plan.words(r.device, r.threads)]
    judge = ["gentk", "evaluate", str(trial.resolved.folder()), *options]
    return f"{command_of(trial.recipe, trial.flags)} && {shlex.join(judge)}"


def echo_outcome(outcome: SweepOutcome, form: Form) -> None:
    """Print the table, what claims came to, and what failed."""
    from .compare import show

    more: dict[str, JsonValue] = {
        "refused": [{"run": name, "reason": why} for name, why in outcome.refused.items()],
        "failed": [{"run": r.name, "seed": r.seed, "reason": r.failed} for r in outcome.failed],
    }
    if outcome.claims:
        more["claims"] = list(outcome.claims)
    show(outcome.comparison, markdown=form.markdown, as_json=form.as_json, png=form.png, more=more)
    if outcome.claims and not form.as_json:
        click.echo("\n" + "\n".join(outcome.claims))
    for row in outcome.failed:
        click.echo(f"failed: {row.name}, seed {row.seed}: {row.failed}", err=True)
    for note in outcome.notes:
        click.echo(f"note: {note}", err=True)


def _refused(sweep: Sweep) -> list[dict[str, str]]:
    """Return the trials that do not fit, each name once, and why."""
    told = dict.fromkeys((trial.name, trial.refused) for trial in sweep.trials if trial.refused)
    return [{"run": name, "reason": str(reason)} for name, reason in told]


def end(sweep: Sweep, form: Form) -> None:
    """Say on stderr what does not fit; exit with 2 if nothing does, with 1 if all that did failed."""
    for row in _refused(sweep):
        click.echo(f"refused: {row['run']}: {row['reason']}", err=True)
    if sweep.trials and all(trial.refused is not None for trial in sweep.trials):
        click.get_current_context().exit(2)
    planned = form.printed or form.dry_run
    rows = [] if planned else list(sweep.settled().values())
    if rows and all(row.failed is not None for row in rows):
        click.get_current_context().exit(1)
