"""Published values of a sweep's rows, and the columns that they stand beside."""

from __future__ import annotations

import re

from .declared import Declared
from .file import RowTable
from .shown import Shown

__all__ = ["number_of", "published_value", "shows_published", "value_of"]


def published_value(declared: Declared, row: RowTable, column: Shown) -> str | int | float | None:
    """Return the published value of what a column shows; one without a name is the first column's."""
    if isinstance(row.published, dict):
        return row.published.get(value_of(column))
    return row.published if value_of(column) == value_of(declared.columns[0]) else None


def shows_published(declared: Declared, column: Shown) -> bool:
    """Say whether published values stand beside a column: the first one of what it shows."""
    first = next(one for one in declared.columns if value_of(one) == value_of(column))
    rows = declared.file.row
    return first == column and any(
        published_value(declared, row, column) is not None for row in rows
    )


def value_of(column: Shown) -> str:
    """Return what a column shows: a value by its name, or a metric's first."""
    return column.value or column.metric


def number_of(text: str | int | float | None) -> float | None:
    """Return the number that a published value begins with."""
    match = re.match(r"\s*([-+]?[\d.]+(?:e[-+]?\d+)?)", str(text))
    return None if text is None or match is None else float(match[1])
