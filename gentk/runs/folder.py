"""Run folders: `run.json`, `metrics.jsonl`, `figures.jsonl`, `samples/`, `checkpoints/`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..checkpoint import Checkpoints
from ..errors import GentkError, RunError, did_you_mean
from ..files import Damaged, cause, hold, read_document, write_document
from ..files.lock import NAME as LOCK
from ..recipe import PASSING, Recipe
from ..session import as_recorded, objects_of
from .schema import check_record

__all__ = ["VALUES", "RunFolder", "near", "refuse_home"]

FORMAT = 3
"""Sealed with a checksum; format 2 is the same without."""

VALUES = "figures.jsonl"
"""Where what was measured of a run is (`gentk.evaluation.record`)."""

STAGE = re.compile(r"\bstage:([\w-]+)")


class RunFolder:
    """The folder of one run.

    Args:
        path: Where it is or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def record(self) -> Path:
        """Where the record of the run is: recipe, versions, fingerprints, result."""
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        """Where the logged scalars are, one JSON object a line."""
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        """Where sample grids are."""
        return self.path / "samples"

    def grids(self) -> list[Path]:
        """Return the sample grids that were drawn while it trained, the oldest first."""
        paths = (path for path in self.samples.glob("*.png") if path.stem.isdecimal())
        return sorted(paths, key=lambda path: int(path.stem))

    def ended(self, record: Mapping[str, Any]) -> int | None:
        """Return after how many steps the run of a record ended; None if it is not finished."""
        steps: int | None = (record.get("result") or {}).get("steps")
        return steps

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints."""
        return Checkpoints(self.path / "checkpoints")

    @property
    def stages(self) -> Path:
        """Where the runs that were made for this one are."""
        return self.path / "stages"

    def locate(self, text: str) -> str:
        """Write every `stage:NAME` of a recipe's value as the `run:FOLDER` it stands for."""
        return STAGE.sub(lambda match: f"run:{self.stages / match[1]}", text)

    def read(self) -> dict[str, Any]:
        """Return the record; raise `RunError` if this is not a run's folder."""
        try:
            record, sealed = read_document(self.record)
            version = record.get("format")
            if version not in (FORMAT, FORMAT - 1):
                raise RunError(
                    f"{self.record} is not a record this gentk reads (format {FORMAT}, not "
                    f"{str(version)[:20]}); use the version of gentk it was made with"
                )
            if sealed != (version == FORMAT):
                raise Damaged("its checksum is missing, or its format is wrong")
            check_record(record)
        except (FileNotFoundError, NotADirectoryError):
            refuse_home(self.path)
            raise RunError(
                f"{self.path} is not the folder of a run (it has no run.json); "
                f"{near(str(self.path))}type: gentk run --out FOLDER, or ls runs"
            ) from None
        except Damaged as error:
            raise RunError(
                f"{self.record} is damaged ({error}); restore it from a copy, type another folder, or "
                "delete this one"
            ) from error
        except OSError as error:
            raise RunError(
                f"{self.record} cannot be read ({error.strerror or error}); type another folder, or "
                "delete this one"
            ) from error
        return record

    def write(self, record: dict[str, Any]) -> None:
        """Write the record whole or not at all."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_document(self.record, {**record, "format": FORMAT}, indent=2)
        except OSError as error:
            reason, remedy = cause(error)
            raise RunError(
                f"the run folder {self.path} cannot be written ({reason}); {remedy}, or type another "
                "folder with --out"
            ) from error

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Own the folder, as its one trainer, until the block ends.

        Raises:
            Busy: Another process trains there, or another thread of this one.
            RunError: It is a file, or cannot be written.
        """
        try:
            with ExitStack() as stack:
                stack.enter_context(
                    hold(self.path, f"the run folder {self.path}", "type another folder with --out")
                )
                held = stack.pop_all()
        except FileExistsError as error:
            raise RunError(f"{self.path} is a file; type another folder with --out") from error
        except OSError as error:
            reason, remedy = cause(error)
            raise RunError(
                f"the run folder {self.path} cannot be written ({reason}); {remedy}, or type another "
                "folder with --out"
            ) from error
        with held:
            yield

    def finished(self, r: Recipe) -> dict[str, Any] | None:
        """Return the result of this very run if its budget, which may have been raised, is used up.

        A run whose last checkpoint is damaged is not finished: it goes on from the one before.

        Raises:
            RunError: The folder holds another run, or files that are no run's.
        """
        result: dict[str, Any] | None = (self.claim(r) or {}).get("result")
        if not result:
            return None
        budget = replace(r.budget, each=result.get("operations_per_step"))
        used_up = budget.fraction(result["steps"], result["seconds"]) >= 1
        if not used_up:
            return None
        self._tidy()
        steps = self.checkpoints.steps()
        lost = bool(steps) and not self.checkpoints.is_whole(result["steps"])
        return None if lost else result

    def _tidy(self) -> None:
        """Remove the lock of a trainer that was killed when all was done."""
        if (self.path / LOCK).exists():
            with suppress(GentkError), self.owned():
                pass

    def claim(self, r: Recipe) -> dict[str, Any] | None:
        """Return the record of this very run, or None for a new folder.

        Raises:
            RunError: The folder holds another run, or files that are no run's.
        """
        if not self.path.exists():
            return None
        if not self.path.is_dir():
            raise RunError(f"{self.path} is a file; type another folder with --out")
        if not self.record.exists():
            # Stages are made before the run that they belong to has a record.
            ours = (
                path.name.endswith(".part") or path.name == LOCK or path == self.stages
                for path in self.path.iterdir()
            )
            if not all(ours):
                raise RunError(
                    f"{self.path} holds files that are not a run's; type another folder with --out"
                )
            return None
        record = self.read()
        identity = r.identity()
        if record["identity"] != identity:
            differing, ways = _differing(record["recipe"], r)
            raise RunError(
                f"{self.path} holds another run (recipe {record['recipe_name']!r}, "
                f"{record['identity']}, this one is {identity}{differing}); type another folder with "
                f"--out, or drop --out{ways}"
            )
        return record


def _differing(recorded: Mapping[str, object], r: Recipe) -> tuple[str, str]:
    """Return `; they differ in KEYS`, and what to give where an object only goes by something else."""
    try:
        other = Recipe.model_validate(recorded)
    except ValidationError:  # Of an earlier version: nobody knows what its keys say today.
        return "", ""
    keys = [
        key
        for key in Recipe.model_fields
        if key not in PASSING and getattr(r, key) != getattr(other, key)
    ]
    pairs = {key: (objects_of(other, key), objects_of(r, key)) for key in keys if key != "phase"}
    ways = [as_recorded(key, *pair) for key, pair in pairs.items() if all(pair)]
    return (
        f"; they differ in {' and '.join(keys)}" if keys else "",
        f"; to go on with it, {'; '.join(ways)}" if ways else "",
    )


def refuse_home(path: Path) -> None:
    """Raise `RunError` if runs lie in this folder, as in `runs`: one of them is meant, or all."""
    records = _records(path)
    if records:
        raise RunError(
            f"{path} holds runs and is none itself; did you mean {str(_newest(records).parent)!r}? for "
            f"all of them type: gentk compare {path}/*"
        )


def near(text: str) -> str:
    """Return `did you mean 'runs/quickstart-1a2b3c4d'? ` for what is no run's folder, or nothing.

    A name, such as a recipe's, means the newest run that is called so, here or in `runs`, no name the
    newest of all, and what lies in a run's folder that run.
    """
    path = Path(text)
    for above in path.parents:
        if (above / "run.json").is_file():
            return f"did you mean {str(above)!r}? "
    homes = dict.fromkeys((path.parent, Path("runs") / path.parent))
    known = [record for home in homes for record in _records(home)]
    alike = [record for record in known if record.parent.name.startswith(path.name)]
    alike = alike or [record for record in known if _recipe_of(record.parent) == text]
    if alike:
        return f"did you mean {str(_newest(alike).parent)!r}? "
    return did_you_mean(text, (str(record.parent) for record in known))


def _newest(records: list[Path]) -> Path:
    return max(records, key=lambda record: record.stat().st_mtime)


def _recipe_of(run: Path) -> str | None:
    """Return the name of the recipe that a run was made by, if its record can be read."""
    try:
        return str(RunFolder(run).read()["recipe_name"])
    except (GentkError, KeyError):
        return None


def _records(home: Path) -> list[Path]:
    """Return the records of the runs in a folder, none where it cannot be read."""
    try:
        return sorted(home.glob("*/run.json"))
    except (OSError, ValueError):
        return []
