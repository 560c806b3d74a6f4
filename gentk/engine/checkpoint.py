"""Checkpoints: everything a run needs to go on exactly where it was, without pickle.

A checkpoint is a folder `NNNNNNNN` (the step) with `tensors.safetensors` and `state.json`, written under
another name and renamed when complete: what carries the name is whole. State is nested dictionaries and
lists of numbers, text and tensors; tensors go to the one file, the rest to the other.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import CheckpointError

__all__ = ["Checkpoints"]

FORMAT = 2


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Where they lie.
        keep: How many to keep; older ones are removed when a new one is complete.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep

    def steps(self) -> list[int]:
        """Return the steps of the complete checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdigit())

    def path(self, step: int) -> Path:
        """Return where the checkpoint of a step lies."""
        return self.folder / f"{step:08d}"

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write a checkpoint; raise `CheckpointError` if it cannot be written, leaving the old."""
        for left in self.folder.glob(".*.part"):
            shutil.rmtree(left, ignore_errors=True)
        part = self.folder / f".{step:08d}.part"
        tensors: dict[str, Tensor] = {}
        plain = _pack(state, "", tensors)
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            save_file(tensors, part / "tensors.safetensors")
            text = json.dumps({"format": FORMAT, "state": plain})
            (part / "state.json").write_text(text, encoding="utf-8")
            final = self.path(step)
            shutil.rmtree(final, ignore_errors=True)
            os.replace(part, final)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(part, ignore_errors=True)
            kept = f"step {self.steps()[-1]} is kept" if self.steps() else "there is none before it"
            raise CheckpointError(
                f"the checkpoint of step {step} could not be written to {self.folder} "
                f"({_reason(error)}); {kept}: make room, then type the same command to go on"
            ) from error
        for old in self.steps()[: -self.keep]:
            shutil.rmtree(self.path(old), ignore_errors=True)
        return final

    def load(self, step: int | None = None) -> dict[str, Any]:
        """Read a checkpoint, the latest by default; raise `CheckpointError` if it is damaged."""
        steps = self.steps()
        if not steps:
            raise CheckpointError(f"there is no checkpoint in {self.folder}; train the run first")
        path = self.path(steps[-1] if step is None else step)
        try:
            tensors = load_file(path / "tensors.safetensors")
            plain = json.loads((path / "state.json").read_text(encoding="utf-8"))
        except (OSError, SafetensorError, ValueError) as error:
            raise CheckpointError(
                f"the checkpoint {path} is damaged ({_reason(error)}); delete that folder to go on "
                "from the one before it"
            ) from error
        if plain.get("format") != FORMAT:
            raise CheckpointError(
                f"the checkpoint {path} has format {plain.get('format')}, this gentk reads "
                f"{FORMAT}; use the version of gentk named in run.json"
            )
        state = _unpack(plain["state"], tensors)
        assert isinstance(state, dict)
        return state


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _pack(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Return `value` as JSON, its tensors moved to `tensors` under their path."""
    if isinstance(value, Tensor):
        # A copy of its own: safetensors refuses tensors that share memory.
        tensors[path] = value.detach().cpu().contiguous().clone()
        return {"$tensor": path}
    if isinstance(value, dict):
        rows = [[key, _pack(item, f"{path}/{key}", tensors)] for key, item in value.items()]
        return {"$dict": rows}
    if isinstance(value, (list, tuple)):
        items = [_pack(item, f"{path}/{i}", tensors) for i, item in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise CheckpointError(f"state {path!r} holds a {type(value).__name__}, which cannot be kept")


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Undo `_pack`."""
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "$tensor" in value:
        return tensors[value["$tensor"]]
    if "$tuple" in value:
        return tuple(_unpack(item, tensors) for item in value["$tuple"])
    return {key: _unpack(item, tensors) for key, item in value["$dict"]}
