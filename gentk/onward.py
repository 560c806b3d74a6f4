"""Onward: the verbs that hand on what runs have come to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Unpack

from . import share
from .keywords import ObjectKeys
from .registry import Registry
from .runs import trained
from .verbs import Run, load
from .wording import in_python

__all__ = ["export", "from_pretrained"]


@in_python()
def from_pretrained(
    model: str | Path,
    *,
    registry: Registry | None = None,
    device: str = "auto",
    **objects: Unpack[ObjectKeys],
) -> Run:
    """Open a model that `gentk export` has written, here, in a distribution or on a hub.

    Args:
        model: A folder, `model:NAME` of an installed distribution, or the id of a
            repository of huggingface.co, which is fetched into its cache.
        registry: Where names are looked up; by default everything installed.
        device: Where to compute, as in recipes.
        objects: As of `load`.

    Raises:
        GentkError: There is no such model, or it cannot be fetched or opened.
    """
    registry = registry or Registry()
    place = share.from_pretrained(model, registry).path
    return load(place, registry=registry, device=device, **objects)


@in_python()
def export(
    run: trained.Run | str | Path,
    to: str | Path,
    *,
    form: Literal["folder", "onnx", "torch"] = "folder",
    push: str | None = None,
) -> Path:
    """Write what of a run others need; what was written is returned.

    Args:
        run: The run, or its folder.
        to: The folder to write.
        form: `folder` (weights, record, model card, pictures, for `from_pretrained`), or a graph that
            runs without gentk: `onnx` or `torch`.
        push: The id of a repository of huggingface.co to upload the folder to.

    Raises:
        GentkError: It cannot be written or uploaded, or the graph computes something else.
    """
    opened = run if isinstance(run, trained.Run) else load(run)
    path = share.export(opened, Path(to), form)
    if push is not None:
        share.push(path if path.is_dir() else path.parent, push)
    return path
