"""Models: what of a run is shared, and opened as a run is.

    FOLDER/
      config.json           the run's record: recipe, data, versions, result
      model.safetensors     the weights that samples are drawn with, and the encoder's
      README.md             a model card
      samples/*.png         a sample grid
      stages/codec/         if the generator makes codes: the model that makes images of them

It is the layout that huggingface_hub uploads. A distribution ships models in the folder `models` of its
package: `model:NAME` is `models/NAME`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError

from ..checkpoint import Checkpoints
from ..errors import CheckpointError, UnknownName, did_you_mean
from ..files import Damaged, is_sealed
from ..registry import Registry
from .folder import RunFolder

__all__ = [
    "CODEC",
    "FOLDER",
    "PREFIX",
    "WEIGHTS",
    "ModelFolder",
    "folder_of",
    "is_run",
    "models",
    "named",
]

PREFIX: Final = "model:"
MODELS: Final = "gentk-models"
"""The distribution that brings gentk's own."""

FOLDER: Final = "models"
"""Where the package of a distribution has its models."""

RECORD: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
CODEC: Final = "codec"


class ModelFolder(RunFolder):
    """The folder of a model, read as a run's: its weights are those of one checkpoint."""

    @property
    def record(self) -> Path:
        """Where the record is."""
        return self.path / RECORD

    @property
    def checkpoints(self) -> Checkpoints:
        """The weights, as the only checkpoint."""
        return _Weights(self.path, int(self.read().get("steps", 0)))


class _Weights(Checkpoints):
    """The weights of a model."""

    def __init__(self, folder: Path, steps: int) -> None:
        super().__init__(folder)
        self._steps = steps

    def steps(self) -> list[int]:
        """Return how many steps the weights are of."""
        return [self._steps] if (self.folder / WEIGHTS).is_file() else []

    def path(self, step: int) -> Path:
        """Return where the weights are."""
        return self.folder / WEIGHTS

    def latest(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, Any]]:
        """Return the steps and the weights of each network; raise `CheckpointError` if damaged."""
        from safetensors.torch import load_file

        path = self.folder / WEIGHTS
        try:
            is_sealed(path)  # raises where the seal does not fit; files of others have none
            tensors = load_file(path)
        except (Damaged, OSError, SafetensorError) as error:
            raise CheckpointError(
                f"{path} cannot be read ({error}); get the model again"
            ) from error
        state: dict[str, dict[str, Any]] = {}
        for name, tensor in tensors.items():
            network, _, inner = name.partition(".")
            state.setdefault(network, {})[inner] = tensor
        return self._steps, state


def models(registry: Registry) -> dict[str, Path]:
    """Return the models that installed distributions ship, by name."""
    known: dict[str, Path] = {}
    for _, module in registry.modules:
        for place in getattr(import_module(module), "__path__", ()):
            for record in sorted(Path(place, FOLDER).glob(f"*/{RECORD}")):
                known.setdefault(record.parent.name, record.parent)
    return known


def named(folder: Path, registry: Registry) -> str:
    """Return what names a folder: `model:NAME` of a model that a distribution ships, else its path."""
    names = {path: name for name, path in models(registry).items()}
    return f"{PREFIX}{names[folder]}" if folder in names else str(folder)


def folder_of(text: str | Path, registry: Registry) -> RunFolder:
    """Return the folder of a run, of a model, or of `model:NAME`.

    Raises:
        UnknownName: No distribution ships a model of that name.
    """
    if str(text).startswith(PREFIX):
        name, known = str(text).removeprefix(PREFIX), models(registry)
        if name not in known:
            there = f"there are {', '.join(known)}" if known else f"type: pip install {MODELS}"
            raise UnknownName(f"no model {name!r}; {did_you_mean(name, known)}{there}")
        return ModelFolder(known[name])
    path = Path(text)
    model = (path / RECORD).is_file() and not (path / "run.json").exists()
    return ModelFolder(path) if model else RunFolder(path)


def is_run(text: str) -> bool:
    """Say whether a text names a run or a model."""
    path = Path(text)
    return text.startswith(PREFIX) or (path / "run.json").exists() or (path / RECORD).is_file()
