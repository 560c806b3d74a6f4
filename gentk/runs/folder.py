"""Run folders: `run.json`, `metrics.jsonl`, `samples/`, `checkpoints/`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from ..engine import Checkpoints
from ..errors import RunError

__all__ = ["RunFolder"]

FORMAT = 2

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
        return STAGE.sub(lambda found: f"run:{self.stages / found[1]}", text)

    def read(self) -> dict[str, Any]:
        """Return the record; raise `RunError` if this is not a run's folder."""
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(
                f"{self.path} is not the folder of a run (it has no run.json); "
                "type: gentk run --out FOLDER, or ls runs"
            ) from None
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.record} cannot be read ({error}); type another folder, or delete this one"
            ) from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise RunError(
                f"{self.record} is not a record this gentk reads (format {FORMAT}); "
                "use the version of gentk it was made with"
            )
        return record

    def write(self, record: dict[str, Any]) -> None:
        """Write the record whole or not at all."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path, suffix=".part")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump({"format": FORMAT, **record}, file, indent=2)
                os.replace(name, self.record)
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(name)
        except OSError as error:
            raise RunError(
                f"the run folder {self.path} cannot be written ({error.strerror}); "
                "make room or type another folder with --out"
            ) from error

    def claim(self, identity: str) -> dict[str, Any] | None:
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
            known = (
                path.name.endswith(".part") or path == self.stages for path in self.path.iterdir()
            )
            if not all(known):
                raise RunError(
                    f"{self.path} holds files that are not a run's; type another folder with --out"
                )
            return None
        record = self.read()
        if record["identity"] != identity:
            raise RunError(
                f"{self.path} holds another run (recipe {record['recipe_name']!r}, "
                f"{record['identity']}, this one is {identity}); type another folder with --out, or "
                "leave --out away"
            )
        return record
