"""`gentk sample`: pictures and arrays of a run's samples."""

from __future__ import annotations

from pathlib import Path

import click

from ..printable import printable
from .completion import complete_runs
from .flags import HELP, KeyOption
from .sections import Command

__all__ = ["command"]

FORMS = ("grid", "folder", "npz", "interpolation", "neighbours", "reconstruction")


@click.command(cls=Command, short_help="Draw samples of a run.")
@click.argument("run", metavar="RUN", shell_complete=complete_runs)
@click.option("--as", "form", type=click.Choice(FORMS), default="grid", help="What to make.")
@click.option(
    "-n", "count", type=click.IntRange(1), default=64, show_default=True, help="How many samples."
)
@click.option("--out", type=click.Path(path_type=Path), help="Where to; in the run's samples/.")
@click.option("--seed", type=int, default=0, show_default=True, help=HELP["--seed"])
@click.option("--truncation", type=float, help="The largest |z|: less variety, typical samples.")
@click.option("--label", help="Of a conditional generator: the class of all, by name or index.")
@click.option("--extractor", help="neighbours: in whose features; pixels by default.")
@click.option("--device", cls=KeyOption, default="auto", show_default=True)
def command(
    *,
    run: str,
    form: str,
    count: int,
    out: Path | None,
    seed: int,
    truncation: float | None,
    label: str | None,
    extractor: str | None,
    device: str,
) -> None:
    """Draw samples of the run in folder RUN and print where they went.

    \b
    gentk sample runs/quickstart-1a2b3c4d                one picture
    gentk sample RUN --as folder -n 5000 --out samples   a file each
    gentk sample RUN --as npz -n 5000 --out samples.npz  (N, H, W, C), uint8
    gentk sample RUN --truncation 0.7                    latents near the mean
    gentk sample RUN --label ship                        of one class
    gentk sample RUN --as interpolation -n 8             from latent to latent
    gentk sample RUN --as neighbours -n 12               above the nearest images
    gentk sample RUN --as reconstruction -n 24           images, and G(E(x)) below
    """
    from ..runs.sheets import default_path, export
    from ..runs.trained import load

    opened = load(run, device=device)
    where = out or default_path(opened, form)
    path = export(opened, form, count, where, seed, extractor, truncation, label)
    click.echo(printable(str(path)))
