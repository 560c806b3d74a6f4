"""`gentk report`: one page about runs, to be sent to others."""

from __future__ import annotations

from pathlib import Path

import click

from ..printable import printable
from .completion import complete_runs
from .sections import Command

__all__ = ["command"]


@click.command(cls=Command, short_help="Write a page about runs.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_runs)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="The file to write.",
)
def command(*, runs: tuple[str, ...], out: Path) -> None:
    """Write one HTML file about runs and print where it is.

    It shows what lies in the runs' folders: sample grids over time, what was logged, metric values
    with their protocol and sanity rows, recipe, data and versions; several runs are compared. The page
    is below 5 MB, runs no script and fetches nothing. Runs need not be finished or evaluated: where
    something is missing, the page says what to type.

    \b
    gentk report runs/quickstart-1a2b3c4d
    gentk report runs/a-seed* runs/b-seed* -o report.html
    """
    from ..share import report

    click.echo(printable(str(report(runs, out))))
