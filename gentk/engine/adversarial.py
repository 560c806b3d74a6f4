"""Adversarial training: the gradients of a critic's step, and of a generator's and encoder's.

    data   x, E(x)     -> critic -> scores s(x, E(x))
    model  G(z), z     -> critic -> scores s(G(z), z)

Each step draws x and z afresh. In the critic's step G and E are constants; in the other the critic's
weights are, and G receives gradient only through (G(z), z), E only through (x, E(x)), unless the loss
asks for E(G(z)). The two sides go through the critic one after the other, so that its batch norm never
mixes them. An encoder may read x at a multiple of the generator's resolution: the critic then sees means
over squares of pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..data.minibatches import Minibatches
from ..feature_space import autocast
from ..interfaces import AdversarialLoss, Critic, Encoder, Generator, Range, Scores, total
from ..ranges import resized, to_range
from .penalty import penalise

__all__ = ["Adversarial"]

Labels = Tensor | None
"""Class indices, (N,) int64, for a critic that looks at classes; None otherwise."""

Seen = tuple[Scores, Scores, dict[str, Tensor]]
"""Scores of the data's and of the model's pairs, and terms besides."""


class Adversarial:
    """The objectives of the two phases of an adversarial run.

    Args:
        generator: G.
        critic: The critic.
        loss: The game.
        minibatches: Draws x, at the encoder's resolution.
        encoder: E; None for a game of images alone.
        batch: Samples a side and step.
        chunk: Samples a side and graph; None for the whole batch.
        dtype: What the networks compute in.
        device: Where latents are drawn.
    """

    def __init__(
        self,
        generator: Generator,
        critic: Critic,
        loss: AdversarialLoss,
        minibatches: Minibatches,
        encoder: Encoder | None = None,
        *,
        batch: int,
        chunk: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> None:
        self.generator = generator
        self.critic = critic
        self.loss = loss
        self.minibatches = minibatches
        self.encoder = encoder
        self.batch = batch
        self.chunk = chunk or batch
        self.dtype = dtype
        self.device = device or torch.device("cpu")
        # E(G(z)) is computed for a loss that has something to say of it only.
        own = type(loss).inversion_loss is not AdversarialLoss.inversion_loss
        self.inverted = encoder is not None and own

    def critic_step(self) -> dict[str, Tensor]:
        """Add a step's gradient to the critic and return `loss/critic`, its terms, and the scores.

        `score/NAME/SIDE` is the mean of a score over samples, `spread/NAME/SIDE` its deviation.
        """

        def seen(x: Tensor, y: Labels, latents: Tensor) -> Seen:
            with torch.no_grad():
                pair = self._encoded(x) if self.critic.pairs else None
                made = self._generated(latents)
            return self._of_data(x, pair, y), self._of_model(made, latents), {}

        shown = self._step("critic", seen, self.loss.critic_loss)
        return shown | penalise(critic=self.critic)

    def generator_step(self) -> dict[str, Tensor]:
        """Add a step's gradient to generator and encoder and return `loss`, its terms and scores."""

        def seen(x: Tensor, y: Labels, latents: Tensor) -> Seen:
            made = self._generated(latents)
            model = self._of_model(made, latents)
            terms: dict[str, Tensor] = {}
            if self.inverted:
                inversion = self._inverted(made if self.loss.joint else made.detach())
                z, _ = self.generator.prior.split(latents)
                terms = self.loss.inversion_loss(z, inversion)
            if self.encoder is None or not self.critic.pairs:
                return {}, model, terms
            return self._of_data(x, self._encoded(x), y), model, terms

        with self._constant_critic():
            shown = self._step("", seen, self.loss.generator_loss)
        return shown | penalise(generator=self.generator, encoder=self.encoder)

    def _step(
        self,
        name: str,
        seen: Callable[[Tensor, Labels, Tensor], Seen],
        loss: Callable[[Scores, Scores], dict[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Accumulate over chunks."""
        labels: Labels = None
        if self.critic.classes:
            batch, labels = self.minibatches.labelled()
        else:
            batch = next(self.minibatches)
        label = f"loss/{name}" if name else "loss"
        shown: dict[str, Tensor] = {}
        for start in range(0, len(batch), self.chunk):
            rows = slice(start, start + self.chunk)
            x, y = batch[rows], None if labels is None else labels[rows]
            share = len(x) / len(batch)
            data, model, more = seen(x, y, self.generator.prior.draw(len(x), self.device))
            terms = loss(data, model) | more
            objective = total(terms)
            (objective * share).backward()
            logged = {label: objective, **{f"{label}/{key}": v for key, v in terms.items()}}
            for side, found in (("data", data), ("model", model)):
                logged |= {f"score/{key}/{side}": value.mean() for key, value in found.items()}
                logged |= {
                    f"spread/{key}/{side}": value.detach().std(correction=0)
                    for key, value in found.items()
                }
            for key, value in logged.items():
                shown[key] = shown.get(key, 0) + value.detach() * share
        return shown

    def _encoded(self, x: Tensor) -> Tensor | None:
        if self.encoder is None:
            return None
        return self._code(self.encoder, x, self.minibatches.range)

    def _inverted(self, images: Tensor) -> Tensor:
        """Return E(G(z)), of samples brought to the encoder's resolution."""
        assert self.encoder is not None
        return self._code(self.encoder, resized(images, self.encoder.image), self.generator.range)

    def _code(self, encoder: Encoder, images: Tensor, have: Range) -> Tensor:
        with autocast(images.device, self.dtype):
            code: Tensor = encoder(to_range(images, have, encoder.range))
        return code.float()

    def _generated(self, z: Tensor) -> Tensor:
        with autocast(z.device, self.dtype):
            made: Tensor = self.generator(z)
        return made.float()

    def _of_data(self, x: Tensor, pair: Tensor | None, labels: Labels) -> Scores:
        """Return the scores of (x, E(x)), x at the critic's resolution."""
        return self._scores(resized(x, self.critic.image), pair, labels, self.minibatches.range)

    def _of_model(self, made: Tensor, latents: Tensor) -> Scores:
        """Return the scores of (G(z), z)."""
        return self._scores(made, *self.generator.prior.split(latents), self.generator.range)

    def _scores(
        self, images: Tensor, latents: Tensor | None, labels: Labels, have: Range
    ) -> Scores:
        pair = latents if self.critic.pairs else None
        with autocast(images.device, self.dtype):
            x = to_range(images, have, self.critic.range)
            found: Scores = (
                self.critic(x, pair, labels) if self.critic.classes else self.critic(x, pair)
            )
        return {name: value.float() for name, value in found.items()}

    @contextmanager
    def _constant_critic(self) -> Iterator[None]:
        """Let no gradient reach the critic's weights."""
        asked = [p for p in self.critic.parameters() if p.requires_grad]
        for parameter in asked:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in asked:
                parameter.requires_grad_(True)
