"""Tables on stdout: drawn on a terminal, aligned columns in a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from textwrap import fill, wrap
from typing import Any

import click

from ..numerals import decimal
from ..printable import printable

__all__ = ["cell", "echo_mapping", "echo_prose", "echo_table"]

WIDEST = 120
"""Columns that a table in a pipe keeps to, if its words are short enough."""

NARROWEST = 20
"""Columns that are left to the widest cells."""

GAP = "  "


def cell(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{printable(str(k))}: {cell(v)}" for k, v in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value)) or "-"
    return decimal(value, 5) if isinstance(value, float) else printable(str(value))


def echo_mapping(mapping: Mapping[str, Any]) -> None:
    """Print `key: value` lines, those of a mapping inside the mapping indented."""
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            click.echo(f"{printable(key)}:")
            for name, item in value.items():
                click.echo(f"  {printable(name)}: {cell(item)}")
        else:
            click.echo(f"{printable(key)}: {cell(value)}")


def echo_prose(text: str) -> None:
    """Print a sentence: on a terminal in lines that break between words, in a pipe as one line."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        text = fill(text, width, break_long_words=False, break_on_hyphens=False)
    click.echo(text)


def echo_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    grouped: bool = False,
    brief: bool = False,
    folded: bool = False,
) -> None:
    """Print rows of text.

    Args:
        headers: What the columns are called.
        rows: The cells.
        grouped: On a terminal, the first column's values stand above the rows that have them.
        brief: On a terminal, a row is a line, with its end cut off where it is too long.
        folded: On a terminal, columns that do not fit beside the first follow below, beside it again.
    """
    headers = [printable(header) for header in headers]
    rows = [["\n".join(map(printable, cell.split("\n"))) for cell in row] for row in rows]
    if sys.stdout.isatty():
        if folded:
            _draw_folded(headers, rows)
        else:
            _draw(headers, rows, grouped, brief)
        return
    table = [list(headers), *map(list, rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(headers))]
    words = [
        max(len(word) for row in table for word in row[column].split() or [""])
        for column in range(len(headers))
    ]
    for column in sorted(range(len(headers)), key=widths.__getitem__, reverse=True):
        over = sum(widths) + len(GAP) * (len(widths) - 1) - WIDEST
        least = min(widths[column], max(words[column], NARROWEST))
        widths[column] = max(least, widths[column] - max(0, over))
    for row in table:
        cells = [
            wrap(text, width, break_long_words=False) if len(text) > width else [text]
            for text, width in zip(row, widths, strict=True)
        ]
        for line in zip_longest(*cells, fillvalue=""):
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            click.echo(GAP.join(padded).rstrip())


def _draw_folded(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Draw a table in which no cell but the first of a row is broken, if need be as several."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    first, *widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    first = min(first, max(NARROWEST, console.width // 3))
    blocks: list[list[int]] = []
    room = 0
    for column, width in enumerate(widths, 1):
        if room < len(GAP) + width:
            blocks.append([])
            room = console.width - first
        blocks[-1].append(column)
        room -= len(GAP) + width
    for number, block in enumerate(blocks):
        if number:
            console.print()
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, len(GAP), 0, 0))
        table.add_column(headers[0], overflow="fold", max_width=first)
        for column in block:
            table.add_column(headers[column], overflow="fold")
        for row in rows:
            table.add_row(*(Text(row[column]) for column in (0, *block)))
        console.print(table)


def _draw(
    headers: Sequence[str], rows: Sequence[Sequence[str]], grouped: bool, brief: bool
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, len(GAP), 0, 0))
    first = 1 if grouped else 0
    for header in headers[first:]:
        table.add_column(header, overflow="fold")
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)][first:]
    # Names stay whole; what is cut off is the widest cells.
    room = console.width - sum(widths) - len(GAP) * len(widths) + max(widths)
    room = max(room, NARROWEST) if brief else max(widths)
    before = None
    for row in rows:
        if grouped and row[0] != before:
            before = row[0]
            table.add_row()
            table.add_row(Text(before, style="bold"))
        cells = [cell if len(cell) <= room else f"{cell[: room - 1]}…" for cell in row[first:]]
        table.add_row(*map(Text, cells))
    console.print(table)
