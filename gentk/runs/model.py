"""Models: what of a run is shared, and opened as a run is.

    FOLDER/
      config.json           the run's record: recipe, data, versions, result
      model.safetensors     the weights that samples are drawn with, and the encoder's
      figures.jsonl         what was measured of these weights, if anything was
      README.md             a model card, with the same values
      samples/*.png         a sample grid
      stages/codec/         if the generator makes codes: the model that makes images of them

It is the layout that huggingface_hub uploads. Those that distributions ship are found by `gentk.models`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError

from ..checkpoint import Checkpoints
from ..errors import CheckpointError, UnknownName
from ..files import Damaged, is_sealed
from ..models import PREFIX, RECORD, Models
from ..registry import Registry
from .folder import VALUES, RunFolder

__all__ = ["CODEC", "LAYOUT", "WEIGHTS", "ModelFolder", "folder_of", "is_run"]

WEIGHTS: Final = "model.safetensors"
CODEC: Final = "codec"
LAYOUT: Final = (RECORD, WEIGHTS, VALUES, "README.md", "samples/*.png", "stages/*")
"""What a model is of, as patterns of paths in its folder."""


class ModelFolder(RunFolder):
    """The folder of a model, read as a run's: its weights are those of one checkpoint."""

    @property
    def record(self) -> Path:
        """Where the record is."""
        return self.path / RECORD

    def ended(self, record: Mapping[str, Any]) -> int | None:
        """Return how many steps the weights are of: a model is trained no further."""
        return int(record.get("steps", 0))

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


def folder_of(text: str | Path, registry: Registry) -> RunFolder:
    """Return the folder of a run, of a model, or of `model:NAME`.

    Raises:
        UnknownName: No distribution ships a model of that name, or one does and it is named without
            `model:`.
    """
    if str(text).startswith(PREFIX):
        return ModelFolder(Models(registry.modules).find(str(text)))
    path = Path(text)
    if not path.exists() and str(text) in Models(registry.modules).paths:
        raise UnknownName(f"there is no folder {str(text)!r}; did you mean '{PREFIX}{text}'?")
    model = (path / RECORD).is_file() and not (path / "run.json").exists()
    return ModelFolder(path) if model else RunFolder(path)


def is_run(text: str) -> bool:
    """Say whether a text names a run or a model."""
    path = Path(text)
    return text.startswith(PREFIX) or (path / "run.json").exists() or (path / RECORD).is_file()
