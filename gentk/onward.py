"""Onward: the verbs that hand on what runs have come to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Unpack

from . import share
from .keywords import ObjectKeys
from .registry import Registry
from .runs import trained
from .verbs import Run, load, path_of, places_of, run_of
from .wording import in_python

__all__ = ["export", "from_pretrained", "report"]


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
    registry = Registry.of(registry)
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
        push: The id of a repository of huggingface.co to upload it to: the model's folder or the
            graph's file, nothing else that lies there. A model that is in the folder already is only
            uploaded.

    Raises:
        GentkError: It cannot be written or uploaded, or the graph computes something else.
    """
    repository = None if push is None else share.Repository(push)
    return share.export(run_of(run), path_of(to, "to"), form, repository)


@in_python()
def report(
    runs: trained.Run | str | Path | Iterable[trained.Run | str | Path],
    out: str | Path = "report.html",
    *,
    registry: Registry | None = None,
) -> Path:
    """Write one HTML page about runs, below 5 MB, without scripts; its path is returned.

    Args:
        runs: A run or its folder, or several, which are compared.
        out: The file; a report that is there is replaced, anything else is not.
        registry: Where names are looked up; by default everything installed.

    Raises:
        GentkError: There are no runs, a folder is no run's, or the file cannot be written.
    """
    return share.report(places_of(runs), path_of(out, "out"), registry)
