"""`gentk compare`: runs side by side, with the spread of their seeds."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .completion import complete_runs
from .flags import HELP
from .sections import Command

if TYPE_CHECKING:
    from ..sweeps.comparison import Comparison

__all__ = ["check_form", "command", "show"]


@click.command(cls=Command, short_help="Compare runs by their metric values.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_runs)
@click.option("--mixed", is_flag=True, help="Also compare values that were measured differently.")
@click.option("--markdown", is_flag=True, help=HELP["--markdown"])
@click.option("--latex", is_flag=True, help="Print LaTeX tables (booktabs).")
@click.option("--json", "as_json", is_flag=True, help=HELP["--json"])
@click.option("--png", type=click.Path(path_type=Path), help=HELP["--png"])
def command(
    *,
    runs: tuple[str, ...],
    mixed: bool,
    markdown: bool,
    latex: bool,
    as_json: bool,
    png: Path | None,
) -> None:
    """Compare finished runs and models by the metric values in their folders.

    `gentk evaluate` leaves them there; a model has those that were exported with it.

    Runs that differ in their seed only are one row, mean and standard deviation. Nothing is called
    best on one seed or within the noise: Welch's t-test tells the best from every other at 95 %.
    Each way of measuring (samples, reference, extractor, ...) is a column of its own, if all runs
    have it; --mixed puts unlike values into one column, of which none is called best.

    \b
    gentk compare runs/a-seed* runs/b-seed*
    gentk compare RUN RUN --markdown > table.md
    """
    from ..sweeps.compare import compare

    if latex and (markdown or as_json):
        raise click.UsageError("--latex, --markdown and --json are forms; drop all but one")
    check_form(markdown=markdown, as_json=as_json, png=png)
    comparison = compare(runs, mixed=mixed)
    if latex:
        from ..sweeps.latex import latex as written

        click.echo(written(comparison))
    # Notes and the picture come with any form.
    show(comparison, markdown=markdown, as_json=as_json, png=png, printed=latex)


def check_form(*, markdown: bool, as_json: bool, png: Path | None) -> None:
    """Refuse what cannot be printed or drawn, before any work."""
    if markdown and as_json:
        raise click.UsageError("--markdown and --json are two forms; drop one")
    if png is None:
        return
    if png.suffix.lower() != ".png":
        raise click.UsageError(f"--png draws PNG files, not {png.name!r}; write --png table.png")
    if not png.parent.is_dir() or png.is_dir():
        raise click.UsageError(
            f"--png {png} is no file in a folder that exists; write --png table.png"
        )
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise click.UsageError(
            f"--png needs matplotlib ({error}); pip install matplotlib, or drop --png"
        ) from error


def show(
    comparison: Comparison,
    *,
    markdown: bool,
    as_json: bool,
    png: Path | None,
    more: Mapping[str, Any] | None = None,
    printed: bool = False,
) -> None:
    """Print a comparison as asked for, and draw it into a file.

    Args:
        comparison: The comparison; without columns only JSON is printed.
        markdown: Print Markdown.
        as_json: Print JSON.
        png: Where to draw it.
        more: What JSON holds besides.
        printed: The table has been printed already.
    """
    if as_json:
        click.echo(json.dumps({**_table(comparison), **(more or {})}, indent=2))
    elif comparison.columns and not printed:
        if markdown:
            click.echo(str(comparison))
        else:
            _echo(comparison)
    for note in comparison.notes:
        click.echo(f"note: {note}", err=True)
    if png is not None and comparison.columns:
        from ..files import replacing
        from ..sweeps.plot import draw

        # The file is there whole or not at all.
        with replacing(png) as part:
            draw(comparison).savefig(part, dpi=150, format="png")


def _echo(comparison: Comparison) -> None:
    from ..sweeps.comparison import ARROWS
    from .table import echo_prose, echo_table

    brief = sys.stdout.isatty()
    for place, columns in comparison.sections().items():
        click.echo(f"in {place}")
        echo_table(*comparison.lines(columns, brief=brief), folded=True)
        for line in comparison.verdicts(columns):
            echo_prose(line)
        click.echo()
    for line in comparison.ways():
        echo_prose(line)
    used = dict.fromkeys(column.direction for column in comparison.columns)
    if brief and set(used) != {"none"}:
        told = (f"{ARROWS[each]} {each} is better" for each in used if each != "none")
        echo_prose(", ".join(told))


def _table(comparison: Comparison) -> dict[str, Any]:
    return {
        "rows": [
            {
                "run": group,
                **vars(column),
                "seeds": list(cell.seeds),
                "values": list(cell.values),
                "mean": cell.mean,
                "std": cell.std,
                "error": cell.error,
                "trained_on": cell.trained_on,
            }
            for column in comparison.columns
            for group in comparison.groups
            if (cell := comparison.cells.get((group, column))) is not None
        ],
        "verdicts": [
            {
                **vars(column),
                "verdict": comparison.verdict(column),
                "protocol": protocol.shared()
                if (protocol := comparison.protocols[column])
                else None,
            }
            for column in comparison.columns
        ],
        "notes": comparison.notes,
    }
