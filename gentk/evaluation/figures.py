"""Figures of a run: `figures.jsonl` in its folder, one figure with its whole protocol a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import journal
from ..errors import RunError
from ..files import note
from ..runs.folder import RunFolder
from .evaluate import Evaluation

__all__ = ["FILE", "keep", "keep_of_run", "read", "rewind", "rows_of"]

FILE = "figures.jsonl"


def rows_of(found: Evaluation) -> list[dict[str, Any]]:
    """Return the figures of the subject itself, each with the protocol it was measured by."""
    shared = {k: v for k, v in found.protocol.items() if k != "extractors"}
    return [
        {
            **{k: v for k, v in row.items() if k != "subject"},
            "protocol": {**shared, "extractor": found.protocol["extractors"][row["extractor"]]},
        }
        for row in found.rows
        if row["subject"] == found.protocol["subject"]
    ]


def keep(folder: Path, found: Evaluation, steps: int) -> None:
    """Add an evaluation's figures to those of a run.

    Args:
        folder: The run's.
        found: The figures.
        steps: How many steps the run had taken.
    """
    journal.append(folder / FILE, [{"steps": steps, **row} for row in rows_of(found)])


def keep_of_run(subject: str, found: Evaluation) -> None:
    """Add an evaluation's figures to those of the run, if it was a run that was judged."""
    folder = RunFolder(Path(subject))
    if folder.record.exists():
        keep(folder.path, found, folder.checkpoints.steps()[-1])


def read(
    folder: Path, steps: int | None = None, notice: Callable[[str], None] = note
) -> list[dict[str, Any]]:
    """Return a run's figures, oldest first; of a number of steps only, if one is given.

    Args:
        folder: The run's.
        steps: How many steps the run had taken; any by default.
        notice: Called with a sentence if lines were cut off, which are passed over.

    Raises:
        RunError: The file holds something else.
    """
    try:
        rows = journal.read(folder / FILE, notice, _check)
    except (ValueError, OSError) as error:
        raise RunError(
            f"{folder / FILE} does not hold figures ({error}); move it away and type: "
            f"gentk evaluate {folder}"
        ) from error
    return [row for row in rows if steps is None or row["steps"] == steps]


def rewind(folder: Path, steps: int) -> None:
    """Forget the figures after a step: a run that goes on from there takes them again."""
    try:
        journal.rewrite(folder / FILE, lambda row: row["steps"] <= steps, check=_check)
    except (ValueError, OSError) as error:
        raise RunError(
            f"{folder / FILE} cannot be gone on with ({error}); move it away, and type the command again"
        ) from error


def _check(row: Mapping[str, Any]) -> None:
    """Raise `KeyError`, `TypeError` or `ValueError` for what is no figure of a run."""
    texts = [row[key] for key in ("metric", "extractor", "figure")]
    if not all(isinstance(text, str) for text in texts) or row["steps"] < 0:
        raise ValueError("a name of it is no text, or its steps are no number")
    if not isinstance(row["protocol"], dict) or not {"samples", "seed"} <= row["protocol"].keys():
        raise ValueError("it has no protocol")
    if not isinstance(row["value"], (int, float)) or "error" not in row or "better" not in row:
        raise ValueError("it has no value")
