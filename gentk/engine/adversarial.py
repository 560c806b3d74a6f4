"""Adversarial training: the gradients of a critic's step, and of a generator's and encoder's.

    data   x, E(x)     -> critic -> scores s(x, E(x))
    model  G(z), z     -> critic -> scores s(G(z), z)

Each step draws x and z afresh. In the critic's step G and E are constants; in the other the critic's
weights are, and G receives gradient only through (G(z), z), E only through (x, E(x)). The two sides go
through the critic one after the other, so that its batch norm never mixes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..data.minibatches import Minibatches
from ..feature_space import autocast
from ..interfaces import AdversarialLoss, Critic, Encoder, Generator, Range, Scores, total
from ..ranges import to_range

__all__ = ["Adversarial"]


class Adversarial:
    """The objectives of the two phases of an adversarial run.

    Args:
        generator: G.
        critic: The critic.
        loss: The game.
        minibatches: Draws x.
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

    def critic_step(self) -> dict[str, Tensor]:
        """Add a step's gradient to the critic and return `loss/critic`, its terms and mean scores."""

        def scores(x: Tensor, z: Tensor) -> tuple[Scores, Scores]:
            with torch.no_grad():
                pair = self._encoded(x)
                made = self._generated(z)
            return self._scores(x, pair, self.minibatches.range), self._scores(
                made, z, self.generator.range
            )

        return self._step("critic", scores, self.loss.critic_loss)

    def generator_step(self) -> dict[str, Tensor]:
        """Add a step's gradient to generator and encoder and return `loss`, its terms and scores."""

        def scores(x: Tensor, z: Tensor) -> tuple[Scores, Scores]:
            model = self._scores(self._generated(z), z, self.generator.range)
            if self.encoder is None:
                return {}, model
            return self._scores(x, self._encoded(x), self.minibatches.range), model

        with self._constant_critic():
            return self._step("", scores, self.loss.generator_loss)

    def _step(
        self,
        name: str,
        scores: Callable[[Tensor, Tensor], tuple[Scores, Scores]],
        loss: Callable[[Scores, Scores], dict[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Accumulate over chunks."""
        batch = next(self.minibatches)
        label = f"loss/{name}" if name else "loss"
        shown: dict[str, Tensor] = {}
        for x in batch.split(self.chunk):
            share = len(x) / len(batch)
            data, model = scores(x, self.generator.prior.draw(len(x), self.device))
            terms = loss(data, model)
            objective = total(terms)
            (objective * share).backward()
            logged = {label: objective, **{f"{label}/{key}": v for key, v in terms.items()}}
            for side, found in (("data", data), ("model", model)):
                logged |= {f"score/{key}/{side}": value.mean() for key, value in found.items()}
            for key, value in logged.items():
                shown[key] = shown.get(key, 0) + value.detach() * share
        return shown

    def _encoded(self, x: Tensor) -> Tensor | None:
        if self.encoder is None:
            return None
        with autocast(x.device, self.dtype):
            code: Tensor = self.encoder(to_range(x, self.minibatches.range, self.encoder.range))
        return code.float()

    def _generated(self, z: Tensor) -> Tensor:
        with autocast(z.device, self.dtype):
            made: Tensor = self.generator(z)
        return made.float()

    def _scores(self, images: Tensor, latents: Tensor | None, have: Range) -> Scores:
        with autocast(images.device, self.dtype):
            x = to_range(images, have, self.critic.range)
            found: Scores = self.critic(x, latents if self.critic.pairs else None)
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
