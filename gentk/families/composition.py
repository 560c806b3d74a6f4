"""The composition: the parts of a run, built and fitting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ..codec import Codec
from ..data.imageset import ImageSet
from ..engine.world import World
from ..feature_space import FeatureSpace
from ..interfaces import Critic, Encoder, Estimator, Generator, Loss
from ..recipe import Recipe, Resolved
from ..registry import Registry
from .shared import LossOptions

__all__ = ["Composition", "LossPart"]


@dataclass(frozen=True)
class LossPart:
    """One of the losses of a run.

    Attributes:
        name: What its terms are called by where there are several.
        text: How it was written.
        loss: The loss.
        options: How it counts among the others.
        estimator: Its own, not yet started; None where the family uses none.
        extractor: Whose features it is of; None for those of all.
        weight: That of this extractor.
    """

    name: str
    text: str
    loss: Loss
    options: LossOptions
    estimator: Estimator | None = None
    extractor: str | None = None
    weight: float = 1.0

    @property
    def factor(self) -> float:
        """What the loss is multiplied by."""
        return self.options.factor * self.weight


@dataclass(frozen=True, repr=False)
class Composition:
    """The parts of a run, built and fitting; those that the family of its loss does not use are None.

    Attributes:
        resolved: The recipe they were built from, its name, and the origin of each value.
        registry: Where their names were looked up.
        images: The data.
        generator: G, on `device`.
        loss: D; of several the one whose family trains the run.
        world: The processes that train the run, and the device of this one.
        space: phi, on `device`.
        losses: All losses as they were written, `loss` among them.
        estimator: M of `loss`, not yet started.
        encoder: E, on `device`.
        critic: The critic, on `device`.
        codec: If the generator makes codes: what makes images of them, on `device`.
        finer: The data as the encoder reads it, where that is larger than what the generator makes.
    """

    resolved: Resolved
    registry: Registry
    images: ImageSet
    generator: Generator
    loss: Loss
    world: World
    losses: tuple[LossPart, ...] = ()
    space: FeatureSpace | None = None
    estimator: Estimator | None = None
    encoder: Encoder | None = None
    critic: Critic | None = None
    codec: Codec | None = None
    finer: ImageSet | None = None

    def __repr__(self) -> str:
        """Say what it is made of, on one line."""
        r = self.recipe
        parts = {"generator": self.generator, "encoder": self.encoder, "critic": self.critic}
        used = [getattr(r, name) for name, part in parts.items() if part is not None]
        used += [r.loss, *([r.estimator] if self.estimator is not None else [])]
        texts = [part if isinstance(part, str) else "+".join(part) for part in used]
        place = f" in {' + '.join(r.extractor)}" if self.space is not None else ""
        return (
            f"<Composition {self.resolved.name!r}: {', '.join(texts)}{place}, "
            f"{len(self.images):,} images of {self.images.name}, on {self.device}>"
        )

    @property
    def recipe(self) -> Recipe:
        """The recipe."""
        return self.resolved.recipe

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.world.device

    def folder(self) -> Path:
        """Return where the run goes: `out`, or runs/RECIPE-HASH8."""
        return self.resolved.folder()
