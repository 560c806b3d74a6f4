"""`gentk evaluate`: how far samples are from data, in figures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..runs.evaluation import Evaluation

__all__ = ["command"]


@click.command(short_help="Compare samples with data.")
@click.argument("subject", metavar="RUN|FOLDER|NPZ|DATA")
@click.option("--data", help="The reference; a run's own data, test split, by default.")
@click.option(
    "--metric", "metrics", multiple=True, default=("fd",), show_default=True, help="Repeatable."
)
@click.option("--extractor", "extractors", multiple=True, help="In whose features; repeatable.")
@click.option(
    "-n", "count", type=int, default=5000, show_default=True, help="How many samples to compare."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same samples.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads; all by default.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    subject: str,
    data: str | None,
    metrics: tuple[str, ...],
    extractors: tuple[str, ...],
    count: int,
    seed: int,
    device: str,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Compare samples with data and print figures, with the protocol they were measured by.

    What is compared may be a run, a folder or npz file of images, or data by name: real images
    against real images give the floor that no generator can honestly go below.

    \b
    gentk evaluate runs/quickstart-1a2b3c4d
    gentk evaluate samples.npz --data cifar10,split=test -n 10000
    gentk evaluate RUN --extractor timm:tf_efficientnet_lite2,last=1 --json
    """
    from ..runs.evaluation import evaluate
    from .meter import Meter

    def notice(message: str) -> None:
        click.echo(f"note: {message}", err=True)

    with Meter(quiet=quiet) as meter:
        found = evaluate(
            subject,
            data=data,
            metrics=metrics,
            extractors=extractors,
            count=count,
            seed=seed,
            device=device,
            threads=threads,
            notice=notice,
            advance=meter.advance,
        )
    if as_json:
        click.echo(json.dumps({"rows": found.rows, "protocol": found.protocol}, indent=2))
    else:
        _echo(found)


def _echo(found: Evaluation) -> None:
    from .table import cell, echo_mapping, echo_table

    headers = list(dict.fromkeys(key for row in found.rows for key in row))
    echo_table(headers, [[cell(row.get(key)) for key in headers] for row in found.rows])
    click.echo()
    echo_mapping(found.protocol)
