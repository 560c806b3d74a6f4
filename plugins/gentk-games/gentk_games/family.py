"""Adversarial runs: a generator, and with it an encoder or not, against a critic."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from gentk.engine import Adversarial, Collapse
from gentk.errors import Incompatible
from gentk.families import (
    Advance,
    Composition,
    Family,
    Phase,
    Program,
    Recipe,
    Registry,
    Stateful,
    derive,
    labels_of,
    minibatches,
    penalties,
    samples,
)
from gentk.interfaces import BOUNDS, AdversarialLoss, Critic, Encoder, Generator, Loss, Penalty
from gentk.prior import Prior

__all__ = ["AdversarialFamily"]


class AdversarialFamily(Family):
    """Turns of the critic, then one of generator and encoder."""

    loss: ClassVar[type[Loss]] = AdversarialLoss
    needs = frozenset({"critic"})
    uses = frozenset({"critic", "encoder", "penalty", "labels"})
    phases: ClassVar[dict[str, tuple[str, ...]]] = {
        "critic": ("critic",),
        "generator": ("generator", "encoder"),
    }

    penalised = frozenset({"critic", "generator"})
    magnifies = True

    def check(self, r: Recipe, loss: Loss, registry: Registry) -> None:
        """Refuse chunks with terms that are no means over samples."""
        assert isinstance(loss, AdversarialLoss)
        parts: list[tuple[str, AdversarialLoss | Penalty]] = [(f"loss {r.loss!r}", loss)]
        for phase in self.penalised:
            built = penalties(r, phase, registry)
            parts += [(f"penalty {name!r}", penalty) for name, penalty in built.items()]
        for name, part in parts:
            if not part.means and r.chunk is not None and r.chunk < r.batch:
                raise Incompatible(
                    f"{name} is no mean over samples, so that chunks of a batch do not add up to it; "
                    "type --chunk none"
                )

    def fit(
        self,
        r: Recipe,
        loss: Loss,
        generator: Generator,
        encoder: Encoder | None,
        critic: Critic | None,
    ) -> None:
        """Refuse an encoder that cannot invert, parts that need one, and classes of one side."""
        assert critic is not None and isinstance(loss, AdversarialLoss)
        if encoder is None:
            if critic.pairs:
                raise Incompatible(
                    f"critic {r.critic!r} judges pairs of images and latents, and there is no encoder; "
                    "type --encoder NAME"
                )
        else:
            _check_reach(encoder, generator.prior, r)
        classes = generator.prior.classes
        if critic.classes and classes != critic.classes:
            raise Incompatible(
                f"critic {r.critic!r} looks at {critic.classes} classes and generator "
                f"{r.generator!r} makes {classes or 'none'}; write classes={critic.classes} in both"
            )

    def program(self, c: Composition, advance: Advance | None) -> Program:
        """Draw minibatches and put the two steps together."""
        r = c.recipe
        assert c.critic is not None and isinstance(c.loss, AdversarialLoss)
        self.fit(r, c.loss, c.generator, c.encoder, c.critic)
        if c.critic.classes:
            _check_classes(c.critic.classes, c)
        batches = minibatches(c)
        game = Adversarial(
            c.generator,
            c.critic,
            c.loss,
            batches,
            c.encoder,
            batch=r.batch,
            chunk=r.chunk,
            dtype=getattr(torch, r.dtype),
            world=c.world,
            seed=derive(r.seed, "game"),
            penalties={
                "critic": penalties(r, "critic", c.registry),
                "generator": penalties(r, "generator", c.registry),
            },
        )
        if isinstance(c.loss, nn.Module):
            c.loss.to(c.device)
        game.prepare()
        learners: dict[str, nn.Module] = {"generator": c.generator}
        if c.encoder is not None:
            learners["encoder"] = c.encoder
        critics: dict[str, nn.Module] = {"critic": c.critic}
        for modules, phase in ((critics, "critic"), (learners, "generator")):
            own = c.loss.networks().get(phase)
            if own is not None:
                modules[f"loss-{phase}"] = own.to(c.device)
        phases = [
            Phase("critic", critics, game.critic_step, 0, averaged=False),
            Phase("generator", learners, game.generator_step, r.batch),
        ]
        state: dict[str, Stateful] = {"data": batches, **game.state()}
        return Program(phases, samples(c), state, Collapse())


def _check_reach(encoder: Encoder, prior: Prior, r: Recipe) -> None:
    """Refuse an encoder whose bounded latents can never have the law of the prior."""
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
    """Refuse a critic of classes beside data without all their labels."""
    r = c.recipe
    labels = labels_of(c.images, f"critic {r.critic!r}", r.data)
    if int(labels.max()) >= classes:
        raise Incompatible(
            f"{r.data!r} has the label {int(labels.max())} and critic {r.critic!r} looks at classes 0 "
            f"to {classes - 1}; write classes={int(labels.max()) + 1} for critic and generator"
        )
