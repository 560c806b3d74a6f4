"""`gentk compare`: runs side by side, with the spread of their seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..runs.compare import Comparison

__all__ = ["command", "show"]


@click.command(short_help="Compare runs by their figures.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--mixed", is_flag=True, help="Also compare figures that were measured differently.")
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--png", type=click.Path(path_type=Path), help="Draw it into a file, too.")
def command(
    *, runs: tuple[str, ...], mixed: bool, markdown: bool, as_json: bool, png: Path | None
) -> None:
    """Compare finished runs by the figures that `gentk evaluate` left in their folders.

    Runs that differ in their seed only are one row, mean and standard deviation. Nothing is called
    best on one seed or within the noise: twice the deviation of the difference of two runs. Figures
    of different protocols (samples, reference, extractor, ...) are refused in one table, unless
    --mixed.

    \b
    gentk compare runs/a-seed* runs/b-seed*
    gentk compare RUN RUN --markdown > table.md
    """
    from ..runs.compare import compare

    show(compare(runs, mixed=mixed), markdown=markdown, as_json=as_json, png=png)


def show(found: Comparison, *, markdown: bool, as_json: bool, png: Path | None) -> None:
    """Print a comparison as asked for, and draw it into a file."""
    if png is not None:
        _draw(found, png)
    if as_json:
        click.echo(json.dumps(_table(found), indent=2))
    elif markdown:
        click.echo(_markdown(found))
    else:
        _echo(found)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)


def _echo(found: Comparison) -> None:
    from .table import echo_table

    for extractor in _extractors(found):
        columns = [c for c in found.columns if c.extractor == extractor]
        rows = [
            [group, *(_cell(found, group, column) for column in columns), _seeds(found, group)]
            for group in found.groups
        ]
        click.echo(f"in {extractor}")
        arrows = [f"{c.figure} ({c.better} is better)" for c in columns]
        echo_table(("run", *arrows, "seeds"), rows)
        for line in _verdicts(found, extractor):
            click.echo(line)
        click.echo()
    click.echo(_protocol(found))


def _markdown(found: Comparison) -> str:
    lines = []
    for extractor in _extractors(found):
        columns = [c for c in found.columns if c.extractor == extractor]
        head = ["run", *(f"{c.figure} ({c.better} is better)" for c in columns), "seeds"]
        lines += [f"In {extractor}:", "", f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
        for group in found.groups:
            cells = [_cell(found, group, column) for column in columns]
            lines.append(f"| {' | '.join([group, *cells, _seeds(found, group)])} |")
        lines += ["", *(f"- {line}" for line in _verdicts(found, extractor)), ""]
    return "\n".join([*lines, _protocol(found)])


def _table(found: Comparison) -> dict[str, Any]:
    return {
        "rows": [
            {
                "run": group,
                "seeds": found.groups[group],
                **vars(column),
                "values": list(cell.values),
                "mean": cell.mean,
                "deviation": cell.deviation,
                "error": cell.error,
                "trained_on": cell.trained_on,
            }
            for column in found.columns
            for group in found.groups
            if (cell := found.cells.get((group, column))) is not None
        ],
        "verdicts": [
            {**vars(column), "verdict": found.verdict(column)} for column in found.columns
        ],
        "protocol": found.protocol,
        "notes": found.notes,
    }


def _draw(found: Comparison, path: Path) -> None:
    """Draw means and deviations, a panel a figure."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise click.ClickException(
            f"--png needs matplotlib ({error}); type: pip install matplotlib"
        ) from error
    groups = list(found.groups)
    size = (3.2 * len(found.columns) + 2, 0.5 * len(groups) + 1.4)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(found.columns), sharey=True, squeeze=False)[0]
    for panel, column in zip(panels, found.columns, strict=True):
        for place, group in enumerate(groups):
            cell = found.cells.get((group, column))
            if cell is not None:
                spread = cell.deviation or cell.error or 0.0
                panel.errorbar(cell.mean, place, xerr=spread, fmt="o", color="#1f4e79", capsize=3)
                panel.plot(cell.values, [place] * len(cell.values), "|", color="#888888")
        panel.set_title(f"{column.figure}\n{column.better} is better", fontsize=9)
        panel.set_xlabel(column.extractor, fontsize=6)
        panel.grid(axis="x", linewidth=0.3)
    panels[0].set_yticks(range(len(groups)), groups, fontsize=8)
    panels[0].invert_yaxis()
    figure.savefig(path, dpi=150, format=path.suffix.lstrip(".") or "png")


def _extractors(found: Comparison) -> list[str]:
    return list(dict.fromkeys(column.extractor for column in found.columns))


def _cell(found: Comparison, group: str, column: Any) -> str:
    cell = found.cells.get((group, column))
    return "-" if cell is None else str(cell)


def _seeds(found: Comparison, group: str) -> str:
    return str(len(found.groups[group]))


def _verdicts(found: Comparison, extractor: str) -> list[str]:
    told = [
        (column.figure, found.verdict(column))
        for column in found.columns
        if column.extractor == extractor
    ]
    marked = any(c.trained_on for (_, col), c in found.cells.items() if col.extractor == extractor)
    note = ["*: trained in these features"] if marked else []
    return [*(f"{figure}: {verdict}" for figure, verdict in told if verdict), *note]


def _protocol(found: Comparison) -> str:
    """Return how the figures were measured, in a sentence."""
    p = found.protocol
    reference = p["reference"]
    return (
        f"{p['samples']:,} samples, values rounded to {p['rounding']}, against the "
        f"{reference['count']:,} images of {reference['name']} (split {reference['split']}); ± is the "
        "standard deviation over seeds, or s.e. the standard error of one."
    )
