"""Adversarial training: the gradients of a critic's step, and of a generator's and encoder's.

Each step draws x and z afresh, for the whole batch, and shows them to the loss as a play
(`gentk.engine.playing`). In the critic's step G and E are constants; in the other the critic's weights
are, and G receives gradient only through (G(z), z), E only through (x, E(x)), unless the loss asks for
E(G(z)) or G(E(x)).

Losses of games and penalties are means over samples: chunks of a batch are gradient accumulation.
Matching losses on the features of both sides (`Contest`) are functions of totals: chunks go through
twice (`gentk.engine.totals`), the second time under the same random states and with the same buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ..data.minibatches import Minibatches
from ..events import OBSERVED
from ..interfaces import AdversarialLoss, Critic, Encoder, Generator, Penalty, Play, total
from ..summary import Summary
from .buffers import LossBuffers
from .chunks import chunk_sizes
from .contest import Contest, summarises
from .finite import Look, look_at_features, look_at_samples
from .penalty import penalise
from .playing import Part, Players, Turn
from .randomness import Draws
from .ranks import Chunk, Ranks
from .replay import Replay
from .totals import Slopes
from .world import World

__all__ = ["Adversarial"]

Rules = Callable[[Play], dict[str, Tensor]]
"""What a game makes of a turn: the terms to minimise."""


@dataclass(frozen=True)
class _Totals:
    """What the second pass of a chunked contest goes by.

    Attributes:
        slopes: The gradient in the totals.
        moments: The networks' buffers before each chunk and, last, after all of them.
    """

    slopes: Slopes
    moments: list[Replay]


class Adversarial:
    """The objectives of the two phases of an adversarial run.

    Args:
        generator: G.
        critic: The critic.
        loss: The game; None where all that is minimised is matched.
        minibatches: Draws x, at the encoder's resolution.
        encoder: E; None for a game of images alone.
        batch: Samples a side and step.
        chunk: The largest number of samples a side and graph; None for the whole batch.
        dtype: What the networks compute in.
        world: The processes that share the chunks.
        penalties: What the steps of a turn minimise besides, by the name it is shown under.
        contests: What the steps of a turn match, or drive apart.
        apart: Whether the game is the critic's alone: the generator does not play it.
        factor: What the game's terms are multiplied by, beside what is matched.
        seed: Of all random numbers but the order of the data.

    Attributes:
        draws: The random states of values, which a checkpoint keeps.
    """

    def __init__(
        self,
        generator: Generator,
        critic: Critic,
        loss: AdversarialLoss | None,
        minibatches: Minibatches,
        encoder: Encoder | None = None,
        *,
        batch: int,
        chunk: int | None = None,
        dtype: torch.dtype = torch.float32,
        world: World | None = None,
        penalties: Mapping[Turn, Mapping[str, Penalty]] | None = None,
        contests: Mapping[Turn, Contest] | None = None,
        apart: bool = False,
        factor: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.generator = generator
        self.critic = critic
        self.loss = loss
        self.minibatches = minibatches
        self.encoder = encoder
        self.batch = batch
        self.dtype = dtype
        self.world = world or World()
        self.device = self.world.device
        self.ranks = Ranks(self.world, chunk_sizes(batch, chunk or batch), self._through)
        self.penalties = dict(penalties or {})
        self.contests = dict(contests or {})
        self.apart = apart
        self.factor = factor
        self.draws = Draws(seed, self.device)
        self.looks: list[Look] = []
        """What tells later whether the samples and features of the last step's contest were finite."""
        players = [n for n in (generator, critic, encoder) if n is not None]
        self.networks = nn.ModuleList(players)

    def critic_step(self) -> dict[str, Tensor]:
        """Add a step's gradient to the critic and return `loss/critic`, its terms, and the scores.

        `score/NAME/SIDE` is the mean of a score over samples, `spread/NAME/SIDE` its deviation; of the
        sides whose scores the loss looks at. `penalty/critic/NAME/TERM` are the penalties.
        """
        with self._constant("generator"):
            shown = self._step("critic", None if self.loss is None else self.loss.critic_loss)
        if self.loss is not None:
            observed = {k: v for k, v in shown.items() if k.startswith(OBSERVED)}
            self.loss.after_critic_step({k.removeprefix(OBSERVED): v for k, v in observed.items()})
        return shown | penalise(critic=self.critic)

    def generator_step(self) -> dict[str, Tensor]:
        """Add a step's gradient to generator and encoder and return `loss`, its terms and scores."""
        game = None if self.loss is None or self.apart else self.loss.generator_loss
        with self._constant("critic"):
            shown = self._step("generator", game)
        return shown | penalise(generator=self.generator, encoder=self.encoder)

    def _step(self, turn: Turn, game: Rules | None) -> dict[str, Tensor]:
        """Accumulate over chunks."""
        head = "loss" if turn == "generator" else f"loss/{turn}"
        penalties = self.penalties.get(turn, {})
        graphs = {side for penalty in penalties.values() for side in penalty.graphs}
        players, contest, parts = self._players(), self.contests.get(turn), list(self._parts())
        # The sides are compared: what is differentiated twice decides the type of both.
        exact = any(penalty.twice or penalty.graphs for penalty in penalties.values())
        shown: dict[str, Tensor] = {}
        compared: dict[str, Tensor] = {}
        totals = None
        self.looks = []
        if contest is not None and self.ranks.count > 1:
            plays = ((chunk, players.play(turn, part, graphs, exact)) for chunk, part in parts)
            totals = self._totals(contest, turn, plays, head, compared)
        for place, (chunk, part) in enumerate(parts):
            if totals is not None:
                totals.moments[place].restore(self.networks)
            with self.ranks.passing(chunk) if totals is None else nullcontext():
                play = players.play(turn, part, graphs, exact)
                summaries: list[Summary] = []
                if contest is not None:
                    whole = None if totals is None else totals.slopes.totals
                    summaries = contest.summarise(
                        play,
                        self.critic,
                        whole,
                        constant=turn == "critic",
                        again=totals is not None and not self._teaches(turn),
                    )
                    if totals is None:
                        play.witness = partial(
                            self._witness, contest, summaries, players, turn, part.index
                        )
                roots, logged = self._means(turn, play, game, head)
                slopes: list[Tensor | None] = [None] * len(roots)
                if contest is not None:
                    if totals is None:
                        value, compared = contest.compare(summaries, head)
                        self._look(play, summaries)
                        roots, slopes = [*roots, value], [*slopes, None]
                    else:
                        own = totals.slopes.shares(summaries, part.rows.start, part.rows.stop)
                        self._look(play, totals.slopes.totals if place == 0 else ())
                        roots, slopes = [*roots, *own[0]], [*slopes, *own[1]]
                torch.autograd.backward(roots, slopes, inputs=self._accumulating(turn))
                _add(shown, logged | _scores_of(play), play.share)
        if totals is not None:
            totals.moments[-1].restore(self.networks)
        summed = self.ranks.sum(self._learners(turn), shown)
        _add(summed, compared)
        return summed

    def _look(self, play: Play, summaries: Sequence[Summary]) -> None:
        """Look at what a contest compares: the generator's samples, and features of both sides."""
        self.looks += look_at_samples("generator", play.model.images)
        for summary in summaries:
            self.looks += look_at_features(summary)

    def _through(self) -> dict[str, nn.Module | None]:
        """Return all that samples go through."""
        own = {} if self.loss is None else self.loss.networks()
        return {
            "generator": self.generator,
            "critic": self.critic,
            "encoder": self.encoder,
            **{f"loss-{phase}": network for phase, network in own.items()},
        }

    def _learners(self, turn: Turn) -> list[nn.Module]:
        """Return what a turn's gradient is of."""
        own = None if self.loss is None else self.loss.networks().get(turn)
        players = [self.critic] if turn == "critic" else [self.generator, self.encoder]
        return [module for module in (*players, own) if module is not None]

    def _means(
        self, turn: Turn, play: Play, game: Rules | None, head: str
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Return what a chunk minimises that is a mean over samples, if anything, and what to log."""
        terms = {} if game is None else game(play)
        if self.factor != 1:
            terms = {name: self.factor * term for name, term in terms.items()}
        besides = {
            f"penalty/{turn}/{name}/{key}": value
            for name, penalty in self.penalties.get(turn, {}).items()
            for key, value in penalty(play).items()
        }
        logged = dict(besides)
        objectives = list(besides.values())
        if game is not None:
            objective = total(terms)
            objectives.insert(0, objective)
            logged |= {head: objective, **{f"{head}/{key}": v for key, v in terms.items()}}
        if turn == "critic" and self.loss is not None:
            with torch.no_grad():
                seen = self.loss.observe(play)
            logged |= {f"{OBSERVED}{name}": value for name, value in seen.items()}
        return [total(objectives) * play.share] if objectives else [], logged

    def _witness(
        self,
        contest: Contest,
        summaries: Sequence[Summary],
        players: Players,
        turn: Turn,
        chunk: int,
        images: Tensor,
        latents: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Tensor:
        """Return a contest's witness function at images of the critic's range."""
        features = players.again(turn, chunk, images, latents, labels)[1]
        return contest.witness(summaries, images, self.critic.range, features)

    def _accumulating(self, turn: Turn) -> list[Tensor] | None:
        """Return what a turn accumulates into; None where all that asks for gradients does."""
        if turn == "critic" or not self._differentiable:
            return None
        own = None if self.loss is None else self.loss.networks().get(turn)
        learners = [n for n in (self.generator, self.encoder, own) if n is not None]
        return [p for network in learners for p in network.parameters() if p.requires_grad]

    @property
    def _differentiable(self) -> bool:
        """Whether the critic's weights ask for gradients in the generator's turn too."""
        return "generator" in self.contests and summarises(self.critic)

    def _totals(
        self,
        contest: Contest,
        turn: Turn,
        plays: Iterable[tuple[Chunk, Play]],
        head: str,
        shown: dict[str, Tensor],
    ) -> _Totals:
        """Go through the chunks without a graph, and take the gradient of a contest in their totals."""
        moments: list[Replay] = [Replay.capture(self.networks, self.device)]
        totals, first = self.ranks.totals(turn), None
        for chunk, play in plays:
            # A critic that summarises by gradients of its weights needs gradients for it.
            with self.ranks.passing(chunk), torch.set_grad_enabled(summarises(self.critic)):
                own = contest.summarise(play, self.critic, first, constant=True)
            totals.take(chunk, own)
            first = first or [one.detach() for one in own]
            moments.append(Replay.capture(self.networks, self.device))
        whole = totals.whole()
        slopes = Slopes(whole, [self._teaches(turn), True] * len(contest.discrepancies))
        _add(shown, slopes.descend(lambda summaries: contest.compare(summaries, head)))
        return _Totals(slopes, moments)

    def _teaches(self, turn: Turn) -> bool:
        """Whether the data's side of a contest has a gradient in what learns in a turn.

        In the generator's they are constants, but for an encoder's pairs.
        """
        return turn == "critic" or self.critic.pairs

    def state(self) -> dict[str, Draws | LossBuffers]:
        """Return what a checkpoint keeps besides the networks and the order of the data."""
        state: dict[str, Draws | LossBuffers] = {"draws": self.draws}
        if self.loss is not None and (buffers := LossBuffers(self.loss)).buffers:
            state["loss"] = buffers
        return state

    @torch.no_grad()
    def prepare(self) -> None:
        """Show the loss two samples, if it wants to see any before the first step."""
        if self.loss is None or type(self.loss).prepare is AdversarialLoss.prepare:
            return
        training = [network.training for network in self.networks]
        count = torch.arange(2)
        x = self.minibatches.at(count % len(self.minibatches.images))
        labels = self.minibatches.labels
        y = None if labels is None else labels[count % len(labels)].to(self.device)
        with self.draws.of("prepare"):
            latents = self.generator.prior.draw(2, self.device)
            for network in self.networks:
                network.eval()
            self.loss.prepare(
                self._players().play("critic", Part(x, y, latents, slice(0, 2), 2, 0))
            )
        for network, mode in zip(self.networks, training, strict=True):
            network.train(mode)

    def _players(self) -> Players:
        return Players(
            self.generator,
            self.critic,
            self.encoder,
            have=self.minibatches.range,
            joint=self.loss is not None and self.loss.joint,
            draws=self.draws,
            dtype=self.dtype,
        )

    def _parts(self) -> Iterator[tuple[Chunk, Part]]:
        """Draw a batch and yield the chunks of this process."""
        self.draws.advance()
        chunks = self.ranks.chunks
        batch = self.minibatches.drawn([chunk.rows for chunk in chunks])
        with self.draws.of("latents"):
            latents = self.generator.prior.draw(self.batch, self.device)
        for chunk, (x, y) in zip(chunks, batch, strict=True):
            rows = chunk.rows
            yield chunk, Part(x, y, latents[rows], rows, self.batch, chunk.index)

    @contextmanager
    def _constant(self, phase: Turn) -> Iterator[None]:
        """Let no gradient reach what a phase trains: the critic, or the loss's networks in it."""
        own = None if self.loss is None else self.loss.networks().get(phase)
        critic = phase == "critic" and not self._differentiable
        constants = [*([self.critic] if critic else []), *([own] if own else [])]
        asked = [p for module in constants for p in module.parameters() if p.requires_grad]
        for parameter in asked:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in asked:
                parameter.requires_grad_(True)


def _add(shown: dict[str, Tensor], values: Mapping[str, Tensor], share: float = 1.0) -> None:
    """Add what a chunk has to log, by its share of the batch."""
    for key, value in values.items():
        shown[key] = shown.get(key, 0) + value.detach() * share


def _scores_of(play: Play) -> dict[str, Tensor]:
    """Return mean and deviation of the scores that were asked for."""
    shown: dict[str, Tensor] = {}
    for name, side in play.sides.items():
        for key, score in side.asked.get("scores", {}).items():
            shown[f"score/{key}/{name}"] = score.mean()
            shown[f"spread/{key}/{name}"] = score.detach().std(correction=0)
    return shown
