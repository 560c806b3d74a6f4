"""Runs: from a recipe to trained weights in a folder, opened again afterwards."""

from __future__ import annotations

from .. import spec as gentk

__all__ = ["gentk_components"]


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the parts of this room."""
    return [
        gentk.Component(
            kind="extractor",
            name="run",
            target="gentk.runs.extractor:RunExtractor",
            summary="the encoder of a run",
            argument="FOLDER",
            files=("/",),
        ),
    ]
