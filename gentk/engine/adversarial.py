"""Adversarial training: the gradients of a critic's step, and of a generator's and encoder's.

Each step draws x and z afresh, for the whole batch, and shows them to the loss as a play
(`gentk.engine.playing`). In the critic's step G and E are constants; in the other the critic's weights
are, and G receives gradient only through (G(z), z), E only through (x, E(x)), unless the loss asks for
E(G(z)) or G(E(x)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from ..data.minibatches import Minibatches
from ..events import OBSERVED
from ..interfaces import AdversarialLoss, Critic, Encoder, Generator, Penalty, Play, total
from .buffers import LossBuffers
from .chunks import chunk_sizes
from .penalty import penalise
from .playing import Part, Players, Turn
from .randomness import Draws
from .world import World

__all__ = ["Adversarial"]


class Adversarial:
    """The objectives of the two phases of an adversarial run.

    Args:
        generator: G.
        critic: The critic.
        loss: The game.
        minibatches: Draws x, at the encoder's resolution.
        encoder: E; None for a game of images alone.
        batch: Samples a side and step.
        chunk: The largest number of samples a side and graph; None for the whole batch.
        dtype: What the networks compute in.
        world: Where latents are drawn.
        penalties: What the steps of a turn minimise besides, by the name it is shown under.
        seed: Of all random numbers but the order of the data.

    Attributes:
        draws: The random states of values, which a checkpoint keeps.
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
        world: World | None = None,
        penalties: Mapping[Turn, Mapping[str, Penalty]] | None = None,
        seed: int = 0,
    ) -> None:
        self.generator = generator
        self.critic = critic
        self.loss = loss
        self.minibatches = minibatches
        self.encoder = encoder
        self.sizes = chunk_sizes(batch, chunk or batch)
        self.dtype = dtype
        self.world = world or World()
        self.device = self.world.device
        self.penalties = dict(penalties or {})
        self.draws = Draws(seed, self.device)

    def critic_step(self) -> dict[str, Tensor]:
        """Add a step's gradient to the critic and return `loss/critic`, its terms, and the scores.

        `score/NAME/SIDE` is the mean of a score over samples, `spread/NAME/SIDE` its deviation; of the
        sides whose scores the loss looks at. `penalty/critic/NAME/TERM` are the penalties.
        """
        with self._constant("generator"):
            shown = self._step("critic", self.loss.critic_loss)
        observed = {name: value for name, value in shown.items() if name.startswith(OBSERVED)}
        self.loss.after_critic_step({k.removeprefix(OBSERVED): v for k, v in observed.items()})
        return shown | penalise(critic=self.critic)

    def generator_step(self) -> dict[str, Tensor]:
        """Add a step's gradient to generator and encoder and return `loss`, its terms and scores."""
        with self._constant("critic"):
            shown = self._step("generator", self.loss.generator_loss)
        return shown | penalise(generator=self.generator, encoder=self.encoder)

    def _step(self, turn: Turn, loss: Callable[[Play], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Accumulate over chunks."""
        label = "loss" if turn == "generator" else f"loss/{turn}"
        shown: dict[str, Tensor] = {}
        players = self._players()
        penalties = self.penalties.get(turn, {})
        graphs = {side for penalty in penalties.values() for side in penalty.graphs}
        for part in self._parts():
            play = players.play(turn, part, graphs)
            terms = loss(play)
            objective = total(terms)
            besides = {
                f"penalty/{turn}/{name}/{key}": value
                for name, penalty in penalties.items()
                for key, value in penalty(play).items()
            }
            (total([objective, *besides.values()]) * play.share).backward()
            logged = {label: objective, **{f"{label}/{key}": v for key, v in terms.items()}}
            logged |= besides
            if turn == "critic":
                with torch.no_grad():
                    seen = self.loss.observe(play)
                logged |= {f"{OBSERVED}{name}": value for name, value in seen.items()}
            for key, value in (logged | _scores_of(play)).items():
                shown[key] = shown.get(key, 0) + value.detach() * play.share
        return shown

    def state(self) -> dict[str, Draws | LossBuffers]:
        """Return what a checkpoint keeps besides the networks and the order of the data."""
        buffers = LossBuffers(self.loss)
        return {"draws": self.draws, **({"loss": buffers} if buffers.buffers else {})}

    @torch.no_grad()
    def prepare(self) -> None:
        """Show the loss two samples, if it wants to see any before the first step."""
        if type(self.loss).prepare is AdversarialLoss.prepare:
            return
        networks = [n for n in (self.generator, self.critic, self.encoder) if n is not None]
        training = [network.training for network in networks]
        count = torch.arange(2)
        x = self.minibatches.at(count % len(self.minibatches.images))
        labels = self.minibatches.labels
        y = None if labels is None else labels[count % len(labels)].to(self.device)
        with self.draws.of("prepare"):
            latents = self.generator.prior.draw(2, self.device)
            for network in networks:
                network.eval()
            self.loss.prepare(
                self._players().play("critic", Part(x, y, latents, slice(0, 2), 2, 0))
            )
        for network, mode in zip(networks, training, strict=True):
            network.train(mode)

    def _players(self) -> Players:
        return Players(
            self.generator,
            self.critic,
            self.encoder,
            have=self.minibatches.range,
            joint=self.loss.joint,
            draws=self.draws,
            dtype=self.dtype,
        )

    def _parts(self) -> Iterator[Part]:
        """Draw a batch and yield its chunks."""
        self.draws.advance()
        x, labels = self.minibatches.labelled()
        with self.draws.of("latents"):
            latents = self.generator.prior.draw(len(x), self.device)
        start = 0
        for index, size in enumerate(self.sizes):
            rows = slice(start, start + size)
            y = None if labels is None else labels[rows]
            yield Part(x[rows], y, latents[rows], rows, len(x), index)
            start += size

    @contextmanager
    def _constant(self, phase: Turn) -> Iterator[None]:
        """Let no gradient reach what a phase trains: the critic, or the loss's networks in it."""
        own = self.loss.networks().get(phase)
        constants = [*([self.critic] if phase == "critic" else []), *([own] if own else [])]
        asked = [p for module in constants for p in module.parameters() if p.requires_grad]
        for parameter in asked:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in asked:
                parameter.requires_grad_(True)


def _scores_of(play: Play) -> dict[str, Tensor]:
    """Return mean and deviation of the scores that were asked for."""
    shown: dict[str, Tensor] = {}
    for name, side in play.sides.items():
        for key, score in side.asked.get("scores", {}).items():
            shown[f"score/{key}/{name}"] = score.mean()
            shown[f"spread/{key}/{name}"] = score.detach().std(correction=0)
    return shown
