"""History: what a run logged while it trained, a column a quantity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import journal
from ..errors import NoColumn, RunError, did_you_mean
from ..files import note
from ..markup import caption, page, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["History", "read"]

COUNTS = frozenset({"step", "images"})

SHOWN = 5
"""Rows at either end that a notebook shows."""

Column = NDArray[np.float64] | NDArray[np.int64]


class History(Mapping[str, Column]):
    """A table of logged rows, the oldest first: name -> a column, one value a row.

    `step` and `images` are int64, the rest float64, NaN where a row has no such value or it was not
    finite. `history["loss"]` is an array, `dict(history)` the columns, `len(history["step"])` the rows.

    Args:
        columns: The columns, all of one length.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = dict(columns)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self._columns.values()))) if self._columns else 0

    def __getitem__(self, name: str) -> Column:
        """Return a column; raise `NoColumn` if there is none of that name."""
        try:
            return self._columns[name]
        except KeyError:
            known = ", ".join(self._columns) or "none: no step has been logged"
            near = did_you_mean(str(name), self._columns)
            raise NoColumn(f"no column {name!r}; {near}there are {known}") from None

    def __iter__(self) -> Iterator[str]:
        """Go through the columns' names."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Return how many columns there are."""
        return len(self._columns)

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame`, its index the steps.

        Raises:
            RunError: pandas is not installed.
        """
        try:
            import pandas as pd  # type: ignore[import-untyped, import-not-found, unused-ignore]
        except ImportError as error:
            raise RunError(
                f"a data frame needs pandas ({error}); type: pip install pandas, or use the columns, "
                'such as run.metrics["loss"], as arrays'
            ) from error
        frame = pd.DataFrame(self._columns)
        return frame.set_index("step") if "step" in frame else frame

    def __repr__(self) -> str:
        """Say how many rows and which columns there are."""
        return f"<{self.rows:,} rows of {', '.join(self._columns) or 'nothing'}>"

    def _repr_html_(self) -> str:
        """Show the first and the last rows in a notebook."""
        count = self.rows
        places = [*range(min(SHOWN, count)), *range(max(SHOWN, count - SHOWN), count)]
        table = [[_text(column[place]) for column in self._columns.values()] for place in places]
        if count > 2 * SHOWN:
            table.insert(SHOWN, ["…"] * len(self._columns))
        return page(rows_of(list(self._columns), table) if table else "", caption(repr(self)))


def read(path: Path, notice: Callable[[str], None] = note) -> History:
    """Return what is in the `metrics.jsonl` of a run; without the file there are no rows.

    Args:
        path: The file.
        notice: Called with a sentence if lines are damaged, which are dropped.

    Raises:
        RunError: The file holds something else, or cannot be read.
    """
    try:
        rows = journal.read(path, notice, _check)
    except (ValueError, OSError) as error:
        raise RunError(
            f"{path} does not hold the log of a run ({error}); restore it from a copy, or delete it"
        ) from error
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, Column] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if name in COUNTS and None not in values:
            columns[name] = np.array(values, np.int64)
        else:
            columns[name] = np.array([math.nan if v is None else v for v in values], np.float64)
    return History(columns)


def _check(row: Mapping[str, Any]) -> None:
    """Raise `ValueError` or `KeyError` if a row is none of a run's log."""
    if not isinstance(row["step"], int):
        raise ValueError("its step is no number")
    if not all(value is None or isinstance(value, (int, float)) for value in row.values()):
        raise ValueError("it holds something else than numbers")


def _text(value: Any) -> str:
    return f"{value:,}" if isinstance(value, np.integer) else f"{value:.5g}"
