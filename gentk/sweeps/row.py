"""Rows: what came of the trials of a sweep, one a line of its file, each with what decides it.

A row is looked up by its key, a digest of what decides its values (`gentk.sweeps.trial`); its name, date
and commit say where it comes from. What is not known of an old row is absent.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import JsonValue, TypeAdapter

from .. import journal
from ..errors import UsageError
from ..evaluation.measurement import Measurement
from ..evaluation.record import row_of, validated

__all__ = ["Row", "append", "commit", "latest", "read_rows"]

FINAL = "NonFinite"
"""The error after which a run is not tried again: the same seed diverges again."""

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """What came of one trial.

    Attributes:
        key: What it is found by.
        name: What the trial was called.
        seed: Its seed.
        date: The day it ended, `2026-11-24`.
        commit: The commit of the working directory's git checkout, if it was one.
        command: What was typed for it, or could have been.
        folder: Of a run: where it was made.
        recipe: Of a run: what it started from.
        flags: Of a run: what was laid over that.
        subject: Of images that were judged as they are: their name.
        floor: The sanity row of these images that was judged instead, if one was.
        features: Of features that were judged as they are: their extractor.
        threads: CPU threads; None where torch chose, or nobody knows.
        code: Third parties' parts that decided its values, with the code they had.
        result: Of a run: steps, images, seconds and the last loss.
        measurements: What it was measured to be.
        failed: Why there are no measurements, if so.
        kind: The class of that error.
    """

    key: str
    name: str
    seed: int
    date: str
    commit: str | None = None
    command: str | None = None
    folder: str | None = None
    recipe: str | None = None
    flags: dict[str, JsonValue] = field(default_factory=dict)
    subject: str | None = None
    floor: str | None = None
    features: str | None = None
    threads: int | None = None
    code: dict[str, str] = field(default_factory=dict)
    result: dict[str, int | float] | None = None
    measurements: tuple[Measurement, ...] = ()
    failed: str | None = None
    kind: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether its trial is not made again: it has values, or would fail in the same way."""
        return self.failed is None or self.kind in (None, FINAL)

    def table(self) -> dict[str, JsonValue]:
        """Return it as a line of a file holds it, without what is not known."""
        own = {k: v for k, v in asdict(self).items() if v not in (None, {}, ())}
        if self.measurements:
            own["measurements"] = [row_of(m) for m in self.measurements]
        return own


ROW = TypeAdapter(Row)


def _validated(table: Mapping[str, Any]) -> Row:
    """Return the row of a line; raise `ValueError` or `KeyError` if it is none.

    Earlier versions called a name `row` and measurements `figures`.
    """
    own = dict(table)
    for now, before in (("name", "row"), ("measurements", "figures")):
        if before in own:
            own[now] = own.pop(before)
    own["measurements"] = tuple(validated(m) for m in own.get("measurements", ()))
    return ROW.validate_python(own)


def read_rows(path: Path, notice: Notice = lambda message: None) -> list[Row]:
    """Return the rows of a file, the oldest first; what was cut off in writing is passed over.

    Args:
        path: The file; without one there are no rows.
        notice: Called with a sentence about what was passed over.

    Raises:
        UsageError: The file holds something else.
    """
    try:
        return [_validated(row) for row in journal.read(path, notice)]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} does not hold the rows of a sweep ({type(error).__name__}); type another file "
            "with --rows"
        ) from error


def latest(path: Path, notice: Notice = lambda message: None) -> dict[str, Row]:
    """Return the last row of each key."""
    return {row.key: row for row in read_rows(path, notice)}


def append(path: Path, rows: Iterable[Row]) -> None:
    """Add rows to a file; the folder is made if need be.

    Raises:
        OSError: They cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    journal.append(path, [row.table() for row in rows])


@cache
def commit() -> str | None:
    """Return the commit of the working directory as this process first saw it; None without git.

    `-dirty` stands after it if tracked files differ from it.
    """
    words = ["git", "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
