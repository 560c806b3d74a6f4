"""`gentk export`: a run as a model that others load, or that other programs run."""

from __future__ import annotations

from pathlib import Path

import click

from ..printable import printable
from .completion import complete_runs
from .sections import Command

__all__ = ["command"]

FORMS = ("folder", "onnx", "torch")


@click.command(cls=Command, short_help="Write a run as a model for others.")
@click.argument("run", metavar="RUN", shell_complete=complete_runs)
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option("--form", type=click.Choice(FORMS), default="folder", help="What to write.")
@click.option("--push", metavar="USER/NAME", help="Upload it to huggingface.co.")
def command(*, run: str, to: Path, form: str, push: str | None) -> None:
    """Write what of the run in folder RUN others need, and print where.

    A folder holds weights, recipe, a model card with data and metric values, and a sample grid: what
    gentk.from_pretrained opens and huggingface.co shows. onnx and torch are graphs that run without
    gentk, from latents (and labels, and a truncation) to images in [0, 1]; what they compute is
    compared with the run before they are written.

    --push sends the model's folder or the graph's file, and nothing else that lies there. After an
    upload that failed the same command sends what is written already.

    \b
    gentk export runs/quickstart-1a2b3c4d --to digits
    gentk export RUN --to digits --form onnx
    gentk export RUN --to digits --push USER/digits
    """
    from ..runs.trained import load
    from ..share import Repository, export

    repository = None if push is None else Repository(push)
    click.echo(printable(str(export(load(run, device="cpu"), to, form, repository))))
    if repository is not None:
        click.echo(printable(repository.address))
