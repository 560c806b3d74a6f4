"""Sample grids: `samples/IMAGES.png`, the same 64 latents all through a run."""

from __future__ import annotations

from pathlib import Path

from ..events import Event, RunStarted, Sampled
from ..files import replacing
from ..grid import tile
from ..interfaces import Observer

__all__ = ["SampleGrids"]


class SampleGrids(Observer):
    """Draws samples into pictures, named by the number of images seen so that they sort."""

    def __init__(self) -> None:
        self._folder = Path("samples")

    def observe(self, event: Event) -> None:
        """Write a picture, whole or not at all, when samples were drawn."""
        if isinstance(event, RunStarted):
            self._folder = event.folder / "samples"
        elif isinstance(event, Sampled):
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{event.progress.images:09d}.png"
            with replacing(path) as part:
                tile(event.images).save(part, format="PNG")
