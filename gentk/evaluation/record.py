"""Records: the measurements of a run, `figures.jsonl` in its folder, one with its protocol a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue, TypeAdapter

from .. import journal
from ..errors import RunError
from ..files import cause, note
from ..runs.folder import VALUES
from .measurement import Measurement

__all__ = [
    "Recorded",
    "append",
    "append_to_run",
    "read",
    "read_all",
    "rewind",
    "row_of",
    "validated",
]

MEASUREMENT = TypeAdapter(Measurement)

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Recorded:
    """A measurement of a run, and how many steps the run had taken."""

    steps: int
    measurement: Measurement


def row_of(measurement: Measurement) -> dict[str, JsonValue]:
    """Return a measurement as a row of a file."""
    row = asdict(measurement)
    return row if measurement.code else {key: value for key, value in row.items() if key != "code"}


def validated(row: Mapping[str, Any]) -> Measurement:
    """Return the measurement of a row; raise `ValueError` if it is none.

    Rows that earlier versions wrote are read too: they call a name `figure` and a direction `better`.
    """
    return MEASUREMENT.validate_python(_current(row) if "figure" in row else dict(row))


def _current(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of an earlier version as it is written today."""
    old = dict(row)
    protocol = dict(old.pop("protocol", {}))
    details = dict(protocol.pop("reference", {}))
    fingerprint = protocol.pop("reference_fingerprint", "")
    known = {key: details.pop(key, None) for key in ("name", "split", "count")}
    protocol["reference"] = {**known, "fingerprint": fingerprint, "details": details}
    protocol["preparation"] = protocol.pop("extractor", None)
    subject = old.pop("subject", protocol.get("subject"))
    name, direction = old.pop("figure"), old.pop("better", "none")
    old.pop("steps", None)
    return {**old, "subject": subject, "name": name, "direction": direction, "protocol": protocol}


def append(folder: Path, measurements: Sequence[Measurement], steps: int) -> None:
    """Add measurements to those of a run, with the sanity rows that were measured beside it.

    Args:
        folder: The run's.
        measurements: What was measured.
        steps: How many steps the run had taken.
    """
    journal.append(folder / VALUES, [{"steps": steps, **row_of(one)} for one in measurements])


def append_to_run(subject: str, measurements: Sequence[Measurement], steps: int | None) -> None:
    """Add measurements to those of the run, if it was a run that was judged.

    Args:
        subject: What was judged.
        measurements: What came out.
        steps: How many steps it had taken, None if it was no run.

    Raises:
        RunError: They cannot be written.
    """
    if steps is None or not Path(subject).is_dir():
        # What is no folder of the user's, such as a model of a distribution, is not written to.
        return
    try:
        append(Path(subject), measurements, steps)
    except OSError as error:
        reason, remedy = cause(error)
        raise RunError(
            f"the figures cannot be kept in {Path(subject) / VALUES} ({reason}); {remedy}, then type "
            "the same command"
        ) from error


def read(folder: Path, steps: int | None = None, notice: Notice = note) -> list[Recorded]:
    """Return a run's own measurements, oldest first; of a number of steps only, if one is given.

    Args:
        folder: The run's.
        steps: How many steps the run had taken; any by default.
        notice: Called with a sentence if lines are damaged, which are dropped.

    Raises:
        RunError: The file holds something else.
    """
    records = read_all(folder, notice)
    return [
        record
        for record in records
        if record.measurement.own and (steps is None or record.steps == steps)
    ]


def read_all(folder: Path, notice: Notice = note) -> list[Recorded]:
    """Return what was measured of a run and of the sanity rows beside it, oldest first.

    Args:
        folder: The run's.
        notice: Called with a sentence if lines are damaged, which are dropped.

    Raises:
        RunError: The file holds something else.
    """
    try:
        rows = journal.read(folder / VALUES, notice, _recorded)
    except (ValueError, OSError) as error:
        raise RunError(
            f"{folder / VALUES} does not hold measurements ({error}); move it away and type: "
            f"gentk evaluate {folder}"
        ) from error
    return list(map(_recorded, rows))


def rewind(folder: Path, steps: int) -> None:
    """Drop the measurements after a step: a run that goes on from there takes them again.

    Raises:
        RunError: The file holds something else, or cannot be written.
    """
    try:
        journal.rewrite(folder / VALUES, lambda row: row["steps"] <= steps, check=_recorded)
    except (ValueError, OSError) as error:
        raise RunError(
            f"{folder / VALUES} cannot be continued ({error}); move it away, and type the command again"
        ) from error


def _recorded(row: Mapping[str, Any]) -> Recorded:
    """Return what a row holds; raise `KeyError`, `TypeError` or `ValueError` if it is none of these."""
    steps = row["steps"]
    if not isinstance(steps, int) or steps < 0:
        raise ValueError("its steps are no number")
    return Recorded(steps, validated({key: value for key, value in row.items() if key != "steps"}))
