"""Finished (or interrupted) runs: opened again, to sample from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from ..engine import randomness
from ..errors import CheckpointError, RunError, UsageError
from ..feature_space import to_range
from ..interfaces import Generator, ImageShape
from ..recipe import Recipe
from ..registry import Registry
from ..statistics import CHUNK
from .device import choose_device
from .folder import RunFolder

__all__ = ["Run", "generate", "load"]


class Run:
    """A run's folder, opened.

    Args:
        folder: The folder.
        registry: Where the generator's name is looked up.
        device: Where to compute; as `Recipe.device`.
    """

    def __init__(
        self, folder: RunFolder, registry: Registry | None = None, device: str = "auto"
    ) -> None:
        self.folder = folder
        self.record = folder.read()
        self.recipe = Recipe.model_validate(self.record["recipe"])
        self.registry = registry or Registry()
        self.device = choose_device(device)

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.folder.path.resolve().name

    @property
    def result(self) -> dict[str, Any] | None:
        """What the finished run recorded, or None if it is not finished."""
        return self.record.get("result")

    @property
    def image(self) -> ImageShape:
        """The shape of the images it makes."""
        return ImageShape(*self.record["data"]["shape"])

    @cached_property
    def generator(self) -> Generator:
        """The generator in eval mode: averaged weights where the run averaged them."""
        state = self.folder.checkpoints.load()
        weights = state["average"]["weights"] if "average" in state else state["generator"]
        return self._build(weights)

    def _build(self, weights: dict[str, Tensor]) -> Generator:
        with randomness.lent(self.device):
            built = self.registry.build("generator", self.recipe.generator, image=self.image)[0]
        generator = cast(Generator, built)
        try:
            generator.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(
                f"the weights in {self.folder.path} do not fit generator "
                f"{self.recipe.generator!r}: it was made with "
                f"{self.record.get('versions', {})}; install those versions"
            ) from error
        return generator.to(self.device).eval().requires_grad_(False)

    def sample(self, count: int, *, seed: int = 0) -> Tensor:
        """Return `count` images, (count, C, H, W) float32 in [0, 1] on the CPU; same seed, same."""
        return torch.cat(list(self.stream(count, seed=seed)))

    def stream(self, count: int, *, seed: int = 0) -> Iterator[Tensor]:
        """Yield `count` images in chunks, as `sample` would return them."""
        yield from generate(self.generator, self.latents(count, seed=seed))

    def latents(self, count: int, *, seed: int = 0) -> Tensor:
        """Return `count` latents of the generator's prior; same seed, same latents."""
        if not 0 <= seed < 2**63:
            raise UsageError(f"seed {seed} is out of range; type a whole number from 0 to 2^63 - 1")
        # Before the seed is set: building the generator draws its initial weights.
        prior = self.generator.prior
        with randomness.lent(self.device, seed=randomness.derive(seed, "sample")):
            return prior.draw(count, self.device)


@torch.no_grad()
def generate(generator: Generator, latents: Tensor) -> Iterator[Tensor]:
    """Yield the images of latents in chunks, [0, 1], on the CPU."""
    for chunk in latents.split(CHUNK):
        images = to_range(generator(chunk), generator.range, "unit")
        yield images.clamp(0, 1).float().cpu()


def load(folder: str | Path, *, registry: Registry | None = None, device: str = "auto") -> Run:
    """Open the folder of a run; raise `RunError` if it is none, or has no checkpoint yet."""
    run = Run(RunFolder(Path(folder)), registry, device)
    if not run.folder.checkpoints.steps():
        raise RunError(
            f"the run {folder} has no checkpoint yet; type its command again to train it"
        )
    return run
