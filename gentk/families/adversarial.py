"""Adversarial runs: a generator, and with it an encoder or not, against a critic."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from ..data.minibatches import Minibatches
from ..engine import Adversarial, Collapse, Phase, randomness
from ..errors import Incompatible
from ..interfaces import AdversarialLoss, Critic, Encoder, Loss
from ..interfaces.values import BOUNDS
from ..recipe import Recipe
from ..registry import Registry
from .base import Advance, Family, Program, samples
from .composition import Composition

__all__ = ["AdversarialFamily"]


class AdversarialFamily(Family):
    """Turns of the critic, then one of generator and encoder."""

    loss: ClassVar[type[Loss]] = AdversarialLoss
    uses = frozenset({"critic", "encoder"})
    phases: ClassVar[dict[str, tuple[str, ...]]] = {
        "critic": ("critic",),
        "generator": ("generator", "encoder"),
    }

    def check(self, r: Recipe, loss: Loss, registry: Registry) -> None:
        """Refuse a run without a critic."""
        if r.critic is None:
            names = [provided.component.name for provided in registry.select("critic")]
            raise Incompatible(
                f"loss {r.loss!r} is a game against a critic, and there is none; type --critic "
                f"{' or '.join(names) or 'NAME'}"
            )

    def program(self, c: Composition, advance: Advance | None) -> Program:
        """Draw minibatches and put the two steps together."""
        r = c.recipe
        assert c.critic is not None and isinstance(c.loss, AdversarialLoss)
        if c.encoder is None:
            _refuse_without_encoder(c.critic, c.loss, r)
        else:
            _check_reach(c.encoder, c)
        if c.critic.classes:
            _check_classes(c.critic.classes, c)
        seed = randomness.derive(r.seed, "data")
        images = c.finer or c.images
        batches = Minibatches(images, r.batch, seed, codec=c.codec, device=c.device)
        game = Adversarial(
            c.generator,
            c.critic,
            c.loss,
            batches,
            c.encoder,
            batch=r.batch,
            chunk=r.chunk,
            dtype=getattr(torch, r.dtype),
            device=c.device,
        )
        networks: dict[str, nn.Module] = {"generator": c.generator}
        if c.encoder is not None:
            networks["encoder"] = c.encoder
        phases = [
            Phase("critic", {"critic": c.critic}, game.critic_step, 0, averaged=False),
            Phase("generator", networks, game.generator_step, r.batch),
        ]
        return Program(phases, samples(c), {"data": batches}, Collapse())


def _check_reach(encoder: Encoder, c: Composition) -> None:
    """Refuse an encoder whose bounded latents can never have the law of the prior."""
    r, prior = c.recipe, c.generator.prior
    if encoder.code_range is None:
        return
    low, high = BOUNDS[encoder.code_range]
    if low > -prior.reach or high < prior.reach:
        raise Incompatible(
            f"encoder {r.encoder!r} keeps its latents within ({low:g}, {high:g}) and the prior "
            f"{prior.law!r} of generator {r.generator!r} does not: no such encoder inverts it; choose "
            "an output without bounds (--encoder NAME,output=linear) or --generator NAME,prior=uniform"
        )


def _check_classes(classes: int, c: Composition) -> None:
    """Refuse a critic of classes beside a generator of others, or data without all their labels."""
    r, made = c.recipe, c.generator.prior.classes
    if made != classes:
        raise Incompatible(
            f"critic {r.critic!r} looks at {classes} classes and generator {r.generator!r} makes "
            f"{made or 'none'}; write classes={classes} in both"
        )
    labels = c.images.labels
    if labels is None or bool((labels < 0).any()):
        raise Incompatible(
            f"critic {r.critic!r} looks at classes and {r.data!r} has images without a label; add "
            "labels=FILE.npy to the data, one class index per training image, or leave classes away"
        )
    if int(labels.max()) >= classes:
        raise Incompatible(
            f"{r.data!r} has the label {int(labels.max())} and critic {r.critic!r} looks at classes 0 "
            f"to {classes - 1}; write classes={int(labels.max()) + 1} for critic and generator"
        )


def _refuse_without_encoder(critic: Critic, loss: AdversarialLoss, r: Recipe) -> None:
    """Refuse parts that need an encoder."""
    if critic.pairs:
        raise Incompatible(
            f"critic {r.critic!r} judges pairs of images and latents, and there is no encoder; "
            "type --encoder NAME"
        )
    if "inversion" in loss.needs:
        raise Incompatible(
            f"loss {r.loss!r} teaches an encoder to invert the generator, and there is none; "
            "type --encoder NAME"
        )
