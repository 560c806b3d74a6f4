"""`gentk evaluate`: how far samples are from data, in figures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..evaluation.evaluate import Evaluation

__all__ = ["command"]


@click.command(short_help="Compare samples with data.")
@click.argument("subject", metavar="RUN|FOLDER|NPZ|DATA")
@click.option("--data", help="The reference; a run's own data, test split, by default.")
@click.option("--metric", "metrics", multiple=True, help="Repeatable; fd by default.")
@click.option("--extractor", "extractors", multiple=True, help="In whose features; repeatable.")
@click.option("--standard", is_flag=True, help="The published Inception FID, KID, IS and PRDC.")
@click.option("--floor", is_flag=True, help="Also judge real images, noise, blur, one real image.")
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
    standard: bool,
    floor: bool,
    count: int,
    seed: int,
    device: str,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Compare samples with data and print figures, with the protocol they were measured by.

    What is compared may be a run, a folder or npz file of images, or data by name: real images
    against real images give the floor that no generator can honestly go below. A run's figures are
    kept in its folder, for `gentk compare`.

    Without --extractor the judge is one that the run was not trained with; its figures in the
    features that it was trained with stand beside, marked `trained_on`. fdr is the ratio of fd to
    that of as many training images.

    \b
    gentk evaluate runs/quickstart-1a2b3c4d --floor
    gentk evaluate samples.npz --data cifar10,split=test -n 10000 --metric fd --metric prdc
    gentk evaluate RUN --extractor timm:tf_efficientnet_lite2,last=1 --json
    gentk evaluate RUN --standard -n 50000 --data cifar10
    """
    from ..errors import UsageError
    from ..evaluation.evaluate import evaluate
    from ..evaluation.figures import keep_of_run
    from .meter import Meter

    def notice(message: str) -> None:
        click.echo(f"note: {message}", err=True)

    if standard and metrics:
        raise UsageError("--standard has metrics of its own; leave --metric or --standard away")
    with Meter(quiet=quiet) as meter:
        found = evaluate(
            subject,
            data=data,
            metrics=metrics or ("fd",),
            extractors=extractors,
            standard=standard,
            floor=floor,
            ratio=True,
            count=count,
            seed=seed,
            device=device,
            threads=threads,
            notice=notice,
            advance=meter.advance,
        )
    keep_of_run(subject, found)
    if as_json:
        click.echo(json.dumps({"rows": found.rows, "protocol": found.protocol}, indent=2))
    else:
        _echo(found)


def _echo(found: Evaluation) -> None:
    from .table import cell, echo_mapping, echo_table

    if len({row["subject"] for row in found.rows}) > 1:
        _echo_beside(found)
    else:
        headers = [key for key in found.rows[0] if key != "subject"]
        echo_table(headers, [[cell(row[key]) for key in headers] for row in found.rows])
        click.echo()
    if any(row["trained_on"] for row in found.rows):
        click.echo(
            "trained_on: the run was trained in these features, so they are no judge of it\n"
        )
    echo_mapping(found.protocol)


def _echo_beside(found: Evaluation) -> None:
    """Print a table per extractor: a row a subject, a column a figure."""
    from .table import cell, echo_table

    for extractor in dict.fromkeys(row["extractor"] for row in found.rows):
        rows = [row for row in found.rows if row["extractor"] == extractor]
        names = list(dict.fromkeys(row["figure"] for row in rows))
        table: dict[str, dict[str, str]] = {}
        for row in rows:
            error = "" if row["error"] is None else f" ± {row['error']:.2g}"
            table.setdefault(row["subject"], {})[row["figure"]] = cell(row["value"]) + error
        marked = " (trained_on)" if any(row["trained_on"] for row in rows) else ""
        click.echo(f"in {extractor}{marked}")
        headers = ["subject", *names]
        echo_table(
            headers, [[s, *(cells.get(name, "-") for name in names)] for s, cells in table.items()]
        )
        click.echo()
