"""Export: a run becomes a folder that others open, or a graph that other programs run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from ..engine.caller import undisturbed
from ..errors import RunError, UsageError
from ..evaluation.record import append, read_all
from ..files import Damaged, cause, is_sealed, read_document, replacing, replacing_folder, vacant
from ..grid import tile
from ..models import FOLDER, PREFIX, RECORD
from ..recipe import Recipe
from ..runs.model import CODEC, WEIGHTS, ModelFolder
from ..runs.trained import Run
from ..tensors import save_tensors
from .card import card
from .graph import ONNX, TORCH, save_onnx, save_torch
from .hub import Repository

__all__ = ["FORMS", "export"]

FORMS: Final = ("folder", "onnx", "torch")
SHOWN: Final = 64
"""Samples of the grid."""

UNSHARED: Final = ("machine", "format")
"""Keys of a record that are nobody else's."""


@undisturbed()
def export(run: Run, to: Path, form: str = "folder", repository: Repository | None = None) -> Path:
    """Write what of a run others need, whole or not at all.

    Args:
        run: The run.
        to: A folder that does not exist yet, or is empty; a graph goes into a folder that may exist.
        form: `folder` (weights, record, model card, pictures: what `gentk.from_pretrained` opens),
            `onnx` (model.onnx) or `torch` (model.pt2, a program of torch.export).
        repository: Where to send it. A folder that holds the same model already, as after an upload
            that failed, is sent as it is.

    Returns:
        What was written: the folder, or the graph's file.

    Raises:
        UsageError: An unknown form.
        RunError: It cannot be written or sent, or the folder holds something.
        Incompatible: The graph cannot be made, or computes something else.
    """
    if form not in FORMS:
        raise UsageError(f"no form {form!r}; type --form {' or '.join(FORMS)}")
    try:
        if form != "folder":
            path = _graph(run, to, form)
        elif repository is not None and _is_model_of(run, to):
            path = to
        else:
            path = _folder(run, to)
    except OSError as error:
        reason, remedy = cause(error)
        raise RunError(
            f"{to} cannot be written ({reason}); {remedy}, or type another --to"
        ) from error
    if repository is not None:
        repository.upload(path)
    return path


def _graph(run: Run, to: Path, form: str) -> Path:
    to.mkdir(parents=True, exist_ok=True)
    save, name = (save_onnx, ONNX) if form == "onnx" else (save_torch, TORCH)
    with replacing(to / name) as part:
        save(run, part)
    return to / name


def _folder(run: Run, to: Path) -> Path:
    if not vacant(to):
        raise RunError(f"{to} exists and is not an empty folder; type another --to")
    to.parent.mkdir(parents=True, exist_ok=True)
    with replacing_folder(to) as part:
        _write(run, part, _called(to))
    return to


def _is_model_of(run: Run, folder: Path) -> bool:
    """Say whether a folder holds what would be written there."""
    try:
        record = read_document(folder / RECORD)[0]
        whole = is_sealed(folder / WEIGHTS)
    except (Damaged, OSError):
        return False
    return whole and (record.get("identity"), record.get("steps")) == (
        run.record["identity"],
        run.steps,
    )


def _called(to: Path) -> str:
    """Return what a model is opened by: its folder's name, or that of a distribution which ships it."""
    place = to.resolve()
    shipped = place.parent.name == FOLDER and (place.parent.parent / "__init__.py").is_file()
    return f"{PREFIX}{place.name}" if shipped else place.name


def _write(run: Run, to: Path, name: str) -> None:
    """Write a model into a folder, after that in whose codes it generates."""
    record: dict[str, Any] = {k: v for k, v in run.record.items() if k not in UNSHARED}
    # Where it was trained, and how often it was looked at meanwhile, is nobody's business.
    own: dict[str, Any] = {
        "out": None,
        "device": "auto",
        "threads": None,
        "observer": [],
        "init": None,
        "stage": {},
    }
    record["recipe"] = {**record["recipe"], **own}
    if run.inner is not None:
        record["recipe"]["codec"] = f"stage:{CODEC}"
        (to / "stages").mkdir()
        inner = to / "stages" / CODEC
        inner.mkdir()
        _write(run.inner, inner, f"{name}/stages/{CODEC}")
    folder = ModelFolder(to)
    folder.write({**record, "steps": run.steps})
    save_tensors(to / WEIGHTS, _weights(run))
    (to / WEIGHTS).chmod(folder.record.stat().st_mode)  # safetensors writes for its owner only
    folder.samples.mkdir()
    grid = folder.samples / f"{run.steps:08d}.png"
    tile(run.sample(SHOWN)).save(grid)
    values = [
        row.measurement.renamed(name) for row in read_all(run.folder.path) if row.steps == run.steps
    ]
    if values:
        append(to, values, run.steps)
    shared = Recipe.model_validate(record["recipe"])
    own_values = [value for value in values if value.own]
    text = card(run, shared, name, own_values, str(grid.relative_to(to)))
    (to / "README.md").write_text(text, encoding="utf-8")


def _weights(run: Run) -> Mapping[str, Tensor]:
    """Return the weights of the networks that a model has, by network and name."""
    networks = {"generator": run.generator, "encoder": run.encoder}
    return {
        f"{network}.{name}": value.detach().cpu().contiguous().clone()
        for network, module in networks.items()
        if module is not None
        for name, value in module.state_dict().items()
    }
