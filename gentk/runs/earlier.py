"""Earlier runs: finished ones as parts of a new one, written `run:FOLDER`."""

from __future__ import annotations

from pathlib import Path

from ..errors import RunError, UsageError
from ..models import PREFIX
from ..recipe import Recipe
from ..registry import Registry
from ..selection import unquoted
from ..session import OBJECT
from .model import ModelFolder, is_run
from .resolving import FILE
from .trained import Run, load

__all__ = ["check_runs", "finished"]

PREFIXES = ("run:", "stage:")
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
"""Files of weights that run code when they are opened."""


def check_runs(r: Recipe, registry: Registry) -> None:
    """Refuse what is not written as a run, and stages that a recipe does not have."""
    for key, text in (("init", r.init), ("codec", r.codec)):
        if key == "init" and _is_alone(text or "", registry):
            continue
        for part in (text or "").split("+") if key == "init" else [text or ""]:
            if part and not part.startswith(PREFIXES):
                raise UsageError(_no_run(key, part))
            stage = part.removeprefix("stage:")
            if part.startswith("stage:") and stage not in r.stage:
                known = ", ".join(r.stage) or "no stages"
                raise UsageError(
                    f"{key} {part!r}: this recipe has {known}; write --{key} run:FOLDER"
                )


def _is_alone(text: str, registry: Registry) -> bool:
    """Say whether it is a start that is no run: an object, a model, a file of weights."""
    if text.startswith(f"{OBJECT}:"):
        registry.check("init", text)
        return True
    if text.endswith(PICKLES):
        raise UsageError(
            f"init {text!r} would run code when it is opened; save the network's state_dict() with "
            "safetensors.torch.save_file, and type --init FILE.safetensors"
        )
    return text.startswith(PREFIX) or text.endswith(FILE)


def _no_run(key: str, part: str) -> str:
    """Return the sentence about what is not written as a run."""
    place = part if is_run(part) else "FOLDER"
    other = ", or --init FILE.safetensors" if key == "init" and place == "FOLDER" else ""
    return f"{key} {part!r} is not a run; write --{key} run:{place}{other}"


def finished(text: str, registry: Registry, device: str = "auto") -> Run:
    """Open the run of `run:FOLDER`, or `model:NAME`; raise `RunError` if it is none, or not finished."""
    place = unquoted(text.removeprefix("run:"))
    where = place if place.startswith(PREFIX) else Path(place).expanduser()
    run = load(where, registry=registry, device=device)
    if run.result is None and not isinstance(run.folder, ModelFolder):
        raise RunError(
            f"the run {run.folder.path} is not finished; type its command again, and then this one"
        )
    return run
