"""Auto-encoding runs: an encoder and a generator that invert each other, and a reconstruction loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from ..engine import Autoencoding, Phase
from ..engine.loop import Stateful
from ..engine.randomness import derive
from ..errors import Incompatible
from ..interfaces import Critic, Encoder, Generator, Loss, ReconstructionLoss
from ..ranges import to_range
from ..recipe import Recipe
from .base import Advance, Family, Program, minibatches
from .composition import Composition

__all__ = ["AutoencodingFamily"]

PAIRS = 32
"""Images in a run's grids, each beside its reconstruction."""


class AutoencodingFamily(Family):
    """x -> E(x) -> G(E(x)), trained to be x again."""

    loss: ClassVar[type[Loss]] = ReconstructionLoss
    beside: ClassVar[tuple[type[Loss], ...]] = (ReconstructionLoss,)
    needs = frozenset({"encoder"})
    uses = frozenset({"encoder"})
    phases: ClassVar[dict[str, tuple[str, ...]]] = {"autoencoder": ("encoder", "generator")}

    def fit(
        self,
        r: Recipe,
        loss: Loss,
        generator: Generator,
        encoder: Encoder | None,
        critic: Critic | None,
    ) -> None:
        """Refuse a generator of classes: no encoder gives them."""
        if generator.prior.classes:
            raise Incompatible(
                f"generator {r.generator!r} makes images of a class and an encoder gives none; leave "
                "classes away"
            )

    def program(self, c: Composition, advance: Advance | None) -> Program:
        """Draw minibatches and put the step together; grids show images and reconstructions."""
        r = c.recipe
        assert c.encoder is not None
        self.fit(r, c.loss, c.generator, c.encoder, None)
        several = len(c.losses) > 1
        losses = [
            (part.name if several else "", cast(ReconstructionLoss, part.loss), part.options.factor)
            for part in c.losses
        ]
        batches = minibatches(c)
        dtype = getattr(torch, r.dtype)
        step = Autoencoding(
            c.encoder,
            c.generator,
            losses,
            batches,
            chunk=r.chunk,
            dtype=dtype,
            world=c.world,
            seed=derive(r.seed, "chunks"),
        )
        shown = batches.at(torch.arange(min(PAIRS, len(c.images))))

        @torch.no_grad()
        def draw(modules: Mapping[str, nn.Module]) -> Tensor:
            encoder = cast(Encoder, modules["encoder"])
            generator = cast(Generator, modules["generator"])
            codes = encoder(to_range(shown, batches.range, encoder.range))
            decoded = to_range(generator(codes), generator.range, batches.range)
            pairs = torch.stack([shown, decoded], dim=1).flatten(0, 1)
            images = pairs if c.codec is None else c.codec.decode(pairs)
            return images.clamp(0, 1).float().cpu()

        modules: dict[str, nn.Module] = {"encoder": c.encoder, "generator": c.generator}
        state: dict[str, Stateful] = {"data": batches, "draws": step.draws}
        return Program([Phase("autoencoder", modules, step, r.batch)], draw, state)
