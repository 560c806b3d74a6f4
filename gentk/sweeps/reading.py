"""Reading of sweep files, with a sentence for whatever is wrong in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import UsageError
from ..toml import BadToml, read_toml
from ..validation import place_of, wanted_of
from .file import ClaimTable, JudgeTable, RowTable, SweepFile, TriesTable, no_key
from .rules import broken

__all__ = ["other_file", "read_file"]


def read_file(path: Path) -> SweepFile:
    """Read and check a sweep file.

    Raises:
        UsageError: It cannot be read, or something in it is wrong: the sentence names the key.
    """
    try:
        table = read_toml(path)
        file = SweepFile.model_validate(table)
    except BadToml as error:
        raise UsageError(f"{path} {error}") from None
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{path} cannot be read ({reason}); type: gentk sweep FILE.toml") from None
    except ValidationError as error:
        raise UsageError(f"{path}: {_sentence(error, table)}") from None
    fault = broken(file)
    if fault is not None:
        raise UsageError(f"{path}: {fault}")
    return file


MODELS: dict[str, type[BaseModel]] = {
    "judge": JudgeTable,
    "tries": TriesTable,
    "claim": ClaimTable,
    "row": RowTable,
}


def other_file(path: Path, text: str) -> Path:
    """Return the file that another one quotes; raise `UsageError` where there is none."""
    other = path.parent / text
    try:
        there = other.exists()
    except (OSError, ValueError):  # no path at all
        there = False
    if not there or "\0" in text:
        raise UsageError(
            f"{path} quotes {text!r}, and there is no such file; write where it is, from {path.parent}"
        )
    return other


LISTED = ("row", "claim")
"""Tables of which a file may have several."""


def _sentence(error: ValidationError, table: dict[str, Any]) -> str:
    """Say which key is wrong, and what to write."""
    fault = min(error.errors(), key=_rank)
    loc = place_of(fault)
    *head, key = loc
    place = _place(head, table)
    if fault["type"] == "extra_forbidden":
        model = MODELS.get(str(head[0]), SweepFile) if head else SweepFile
        return f"{place} has {no_key(str(key), model.model_fields)}"
    if fault["type"] == "missing":
        name = f"[[{key}]]" if key in LISTED else f"[{key}]"
        kind = f"a table {name}" if key in ("judge", "row") and not head else f'{key} = "..."'
        return f"{place} has no {key!r}; write {kind}"
    if fault["type"] == "value_error":
        return f"{_place(loc, table)} has {fault['ctx']['error']}"
    table_fault = _table_fault(fault, loc, place)
    if table_fault is not None:
        return table_fault
    what = f"{head[-1]} holds" if isinstance(key, int) and head else f"{key} is"
    if isinstance(key, int):
        place = _place(head[:-1], table)
    wanted = wanted_of(fault) or f"what is right, as {fault['msg'][:1].lower() + fault['msg'][1:]},"
    given = json.dumps(fault["input"], default=str, ensure_ascii=False)[:60]
    return f"{place}: {what} {given}; write {wanted} there"


def _rank(fault: ErrorDetails) -> int:
    """Return how little a fault says of what is wrong, in comparison with others."""
    if fault["type"] == "too_short" and fault["input"]:
        return 2  # What is there is wrong, and so counts for nothing.
    # A key that is mistyped is missing too: what stands there says more.
    return 1 if fault["type"] == "missing" else 0


def _table_fault(fault: ErrorDetails, loc: list[str | int], place: str) -> str | None:
    """Say it of one table where several may stand, or of several where one does."""
    given, wanted = fault["input"], wanted_of(fault)
    *head, key = loc
    if isinstance(given, dict) and wanted == "a list":
        written = f"[[{key}]]" if not head else f"{key} = [{{ ... }}], a list of tables"
        return f"{place} has one table as {key!r}; write {written}"
    if isinstance(given, dict) and loc[:1] == ["rows"]:
        return "the file has tables [[rows]], where rows lists other files; write [[row]]"
    if isinstance(given, list) and wanted == "a table" and not isinstance(key, int):
        written = f"[{'.'.join(str(part) for part in loc)}]"
        return f"{place} has a list as {key!r}; write one table {written}"
    return None


def _place(loc: list[str | int], table: dict[str, Any]) -> str:
    """Write where something stands: `[[row]] 'ama'`, `[stage.ae]`."""
    if not loc:
        return "the file"
    head = str(loc[0])
    if head in ("row", "claim", "judge") and len(loc) > 1 and isinstance(loc[1], int):
        listed = table[head] if isinstance(table[head], list) else [table[head]]
        one = listed[loc[1]] if loc[1] < len(listed) else {}
        name = one.get("name", one.get("says")) if isinstance(one, dict) else None
        where = f"[[{head}]] {name!r}" if name else f"[[{head}]] number {loc[1] + 1}"
        return where + "".join(f", {part}" for part in loc[2:])
    return f"[{'.'.join(str(part) for part in loc)}]"
