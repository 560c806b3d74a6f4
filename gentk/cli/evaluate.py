"""`gentk evaluate`: how far samples are from data."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .completion import complete_components, complete_runs
from .flags import HELP, KeyOption
from .sections import Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from ..evaluation.evaluate import Evaluation
    from ..evaluation.measurement import Measurement

__all__ = ["command"]

MARKS = {
    True: " (trained on: the run was trained in these features, so they are no judge of it)",
    None: " (trained on: unknown, since nobody says what made these images)",
}
"""Whether the subject was trained in an extractor's features -> what is said of it."""


@click.command(cls=Command, short_help="Compare samples with data.")
@click.argument("subject", metavar="RUN|FOLDER|NPZ|DATA", shell_complete=complete_runs)
@click.option(
    "--against",
    "--data",
    "data",
    metavar="DATA",
    help="The reference; a run's own data, test split, by default.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help=HELP["--metric"],
    shell_complete=complete_components("metric"),
)
@click.option(
    "--extractor",
    "extractors",
    multiple=True,
    help=HELP["--extractor"],
    shell_complete=complete_components("extractor"),
)
@click.option("--standard", is_flag=True, help="The published Inception FID, KID, IS and PRDC.")
@click.option("--floor", is_flag=True, help="Also judge real images, noise, blur, one real image.")
@click.option(
    "-n", "count", type=int, default=5000, show_default=True, help="How many samples to compare."
)
@click.option("--seed", type=int, default=0, show_default=True, help=HELP["--seed"])
@click.option("--device", cls=KeyOption, default="auto", show_default=True)
@click.option("--threads", cls=KeyOption, type=click.IntRange(1))
@click.option("--protocol", is_flag=True, help="Print all that decides the values.")
@click.option("--quiet", is_flag=True, help=HELP["--quiet"])
@click.option("--json", "as_json", is_flag=True, help=HELP["--json"])
def command(
    *,
    subject: str,
    data: str | None,
    metrics: tuple[str, ...],
    extractors: tuple[str, ...],
    standard: bool,
    floor: bool,
    count: int,
    seed: int,
    device: str,
    threads: int | None,
    protocol: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Compare samples with data and print its metrics, with the protocol they were measured by.

    What is compared may be a run, a folder or npz file of images, or data by name: real images
    against real images give the floor that no generator can honestly go below. A run's values are
    kept in its folder, for `gentk compare`.

    Without --extractor the judge is one that the run was not trained with; its values in the
    features that it was trained with stand beside, marked `trained_on`. fdr is the ratio of fd to
    that of as many training images.

    \b
    gentk evaluate runs/quickstart-1a2b3c4d --floor
    gentk evaluate samples.npz --against cifar10,split=test --metric prdc
    gentk evaluate RUN --extractor timm:tf_efficientnet_lite2,last=1 --json
    gentk evaluate RUN --standard -n 50000 --against cifar10
    """
    from ..engine.world import join
    from ..errors import UsageError
    from ..evaluation.evaluate import evaluate
    from ..evaluation.plan import Context, Plan
    from ..evaluation.record import append_to_run
    from .meter import Meter

    def notice(message: str) -> None:
        click.echo(f"note: {message}", err=True)

    if standard and metrics:
        raise UsageError("--standard has metrics of its own; drop --metric or --standard")
    plan = Plan(
        data,
        metrics or ("fd",),
        extractors,
        count,
        seed,
        sanity=floor,
        ratio=True,
        standard=standard,
    )
    with Meter(quiet=quiet) as meter:
        world = join(device)
        context = Context(
            device=str(world.device),
            threads=threads,
            notice=notice,
            advance=meter.advance,
            world=world,
        )
        evaluation = evaluate(subject, plan, context)
    if as_json:
        rows = [_row(one) for one in evaluation.measurements]
        click.echo(json.dumps({"rows": rows, "protocol": _protocol(evaluation)}, indent=2))
    else:
        _echo(evaluation, protocol)
    # Last: what cannot be kept has been printed.
    if world.leads:
        append_to_run(evaluation.subject, evaluation.measurements, evaluation.steps)


def _row(measurement: Measurement) -> dict[str, JsonValue]:
    """Return what is printed of a measurement; the protocol is common to all."""
    from ..evaluation.record import row_of

    return {key: value for key, value in row_of(measurement).items() if key != "protocol"}


def _protocol(evaluation: Evaluation) -> dict[str, JsonValue]:
    """Return how an evaluation was made: what is common to all extractors, and each one's own."""
    shared = {
        "subject": evaluation.subject,
        **{k: v for k, v in asdict(evaluation.measurements[0].protocol).items() if v is not None},
    }
    del shared["preparation"]
    extractors = {
        one.extractor: asdict(one.protocol.preparation)
        for one in evaluation.measurements
        if one.protocol.preparation is not None
    }
    return {**shared, "extractors": extractors}


def _echo(evaluation: Evaluation, whole: bool) -> None:
    """Print a table for each extractor, and how values were measured: in a sentence, or all of it."""
    from .table import echo_mapping, echo_prose

    several = any(not one.own for one in evaluation.measurements)
    for extractor in dict.fromkeys(one.extractor for one in evaluation.measurements):
        own = [one for one in evaluation.measurements if one.extractor == extractor]
        # `real images` and others are never trained: the mark is the subject's.
        trained = {one.trained_on for one in own if one.subject == evaluation.subject}
        marked = next((mark for state, mark in MARKS.items() if state in trained), "")
        echo_prose(f"in {extractor}{marked}")
        if several:
            _echo_beside(own)
        else:
            _echo_values(own)
        click.echo()
    if whole:
        echo_mapping(_protocol(evaluation))
    else:
        ways = dict.fromkeys(one.protocol.sentence() for one in evaluation.measurements)
        echo_prose(f"{'; '.join(ways)}; --protocol prints all of it")


def _echo_values(own: Sequence[Measurement]) -> None:
    """Print a row a value."""
    from .table import echo_table

    rows = [
        (
            one.name,
            _value(one),
            "-" if one.direction == "none" else one.direction,
            *([one.metric] if len({other.metric for other in own}) > 1 else []),
        )
        for one in own
    ]
    headers = ("metric", "value", "better is", "component")
    echo_table(headers[: len(rows[0])], rows)


def _value(one: Measurement) -> str:
    from ..numerals import decimal
    from .table import cell

    return cell(one.value) + ("" if one.error is None else f" ± {decimal(one.error, 2)}")


def _echo_beside(own: Sequence[Measurement]) -> None:
    """Print a row a subject, a column a metric's value."""
    from ..evaluation.measurement import by_subject
    from .table import echo_table

    table = by_subject(own)
    names = list(dict.fromkeys(name for cells in table.values() for name in cells))
    rows = [
        [subject, *(_value(cells[name]) if name in cells else "-" for name in names)]
        for subject, cells in table.items()
    ]
    echo_table(["subject", *names], rows, folded=True)
