"""Checkpoints: everything a run needs to go on exactly where it was, without pickle.

A checkpoint is a folder `NNNNNNNN` (the step) with `tensors.safetensors` and `state.json`, both sealed
with a checksum, written under another name and renamed when complete: what carries the name is whole.
State is nested dictionaries and lists of numbers, text and tensors; tensors go to the one file, the rest
to the other. A damaged checkpoint is told of, and the one before it is read. Which checkpoints there
are, and whether they are whole, is told without torch.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from .errors import CheckpointError
from .files import (
    Damaged,
    cause,
    clear,
    is_sealed,
    note,
    read_document,
    replacing_folder,
    write_document,
)

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Checkpoints"]

FORMAT = 3
"""Sealed files; format 2 is the same without seals."""

TENSORS, STATE = "tensors.safetensors", "state.json"

Notice = Callable[[str], None]


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
        return sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdecimal())

    def path(self, step: int) -> Path:
        """Return where the checkpoint of a step lies."""
        return self.folder / f"{step:08d}"

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write a checkpoint; raise `CheckpointError` if it cannot be written, leaving the old."""
        from .tensors import save_tensors

        tensors: dict[str, Tensor] = {}
        plain = _pack(state, "", tensors)
        final = self.path(step)
        try:
            clear(self.folder)
            with replacing_folder(final) as part:
                save_tensors(part / TENSORS, tensors)
                write_document(part / STATE, {"format": FORMAT, "state": plain})
        except (OSError, SafetensorError) as error:
            steps = self.steps()
            kept = f"step {steps[-1]} is kept" if steps else "there is none before it"
            reason, remedy = cause(error)
            raise CheckpointError(
                f"the checkpoint of step {step} could not be written to {self.folder} ({reason}); "
                f"{kept}: {remedy}, then type the same command to go on"
            ) from error
        for old in self.steps()[: -self.keep]:
            shutil.rmtree(self.path(old), ignore_errors=True)
        return final

    def load(self, step: int | None = None) -> dict[str, Any]:
        """Read one checkpoint, or as `latest`; raise `CheckpointError` if it is damaged."""
        return self.latest()[1] if step is None else self._load(step)

    def latest(self, *, owner: bool = False, notice: Notice = note) -> tuple[int, dict[str, Any]]:
        """Return the step and the state of the newest checkpoint that is not damaged.

        Args:
            owner: Whether the caller trains the run: damaged ones are then put aside, so that they
                neither count as kept nor stand in the way of the steps that are taken again.
            notice: Called with a sentence for each damaged one.

        Raises:
            CheckpointError: There is none, or all are damaged.
        """
        tried: set[int] = set()
        faults: list[CheckpointError] = []
        while True:
            # Listed anew each time: beside a run that trains, old ones go while they are read.
            left = [step for step in self.steps() if step not in tried]
            if not left:
                break
            step = left[-1]
            tried.add(step)
            try:
                state = self._load(step)
            except CheckpointError as error:
                if self.path(step).exists():
                    faults.append(error)
                continue
            for fault in faults:
                notice(f"{fault}; the one of step {step} is used")
            if owner:
                self._put_aside([one for one in self.steps() if one > step])
            return step, state
        if faults:
            raise CheckpointError(
                f"{faults[0]}, and there is no other; restore it from a copy, or delete "
                f"{self.folder} to train the run from its beginning"
            ) from faults[0]
        raise CheckpointError(f"there is no checkpoint in {self.folder}; train the run first")

    def _put_aside(self, damaged: list[int]) -> None:
        """Rename damaged checkpoints, which somebody may want to look at."""
        for step in damaged:
            path = self.path(step)
            aside = path.with_name(f"{path.name}.damaged")
            shutil.rmtree(aside, ignore_errors=True)
            os.replace(path, aside)

    def is_whole(self, step: int) -> bool:
        """Say whether a checkpoint is there and not damaged, as far as its checksums tell."""
        try:
            self._checked(step)
        except CheckpointError:
            return False
        return True

    def _checked(self, step: int) -> dict[str, Any]:
        """Return a checkpoint's document, its tensors looked at; raise `CheckpointError` if damaged."""
        path = self.path(step)
        with _damages(path):
            document, sealed = read_document(path / STATE)
            version = document.get("format")
            if version != (FORMAT if sealed else FORMAT - 1):
                if isinstance(version, int) and version > FORMAT:
                    raise CheckpointError(
                        f"the checkpoint {path} has format {version}, this gentk reads {FORMAT}; use "
                        "the version of gentk named in run.json"
                    )
                raise Damaged(f"its {STATE} has format {version!r} and no fitting checksum")
            if sealed != is_sealed(path / TENSORS):
                raise Damaged(f"its {TENSORS} has no checksum")
        return document

    def _load(self, step: int) -> dict[str, Any]:
        """Read a checkpoint; raise `CheckpointError` if it is damaged."""
        from safetensors.torch import load_file

        document, path = self._checked(step), self.path(step)
        with _damages(path):
            state = _unpack(document["state"], load_file(path / TENSORS))
            if not isinstance(state, dict):
                raise Damaged("its state is no dictionary")
        return state


@contextmanager
def _damages(path: Path) -> Iterator[None]:
    """Raise `CheckpointError` for whatever a damaged checkpoint does to whoever reads it."""
    try:
        yield
    except (
        OSError,
        SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
    ) as error:
        raise CheckpointError(f"the checkpoint {path} is damaged ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return " ".join(str(error).split())[:200] or type(error).__name__


def _pack(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Return `value` as JSON, its tensors moved to `tensors` under their path."""
    from torch import Tensor

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
