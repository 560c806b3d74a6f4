"""Playing: the networks of a game make the values of a play, each when it is first asked for.

    data   x, E(x)     -> critic -> scores s(x, E(x)),   reconstruction G(E(x))
    model  G(z), z     -> critic -> scores s(G(z), z),   inversion E(G(z))

The two sides go through the critic one after the other, so that its batch norm never mixes them. An
encoder may read x at a multiple of the generator's resolution: the critic then sees means over squares
of pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ..errors import Incompatible
from ..feature_space import autocast
from ..interfaces import Critic, Encoder, Features, Generator, Play, Range, Scores, Side
from ..ranges import resized, to_range
from .randomness import Draws

__all__ = ["Part", "Players", "Turn"]

Turn = Literal["critic", "generator"]
"""Whose step it is: the critic's, or the generator's and the encoder's."""


@dataclass(frozen=True)
class Part:
    """The rows of a batch that are in one graph.

    Attributes:
        images: x, (n, C, H, W), as the data come.
        labels: Their classes, (n,) int64; None where there are none.
        latents: What the generator takes, (n, latent + classes).
        rows: Which of the batch they are.
        batch: How many the batch has.
        index: The number of the chunk.
    """

    images: Tensor
    labels: Tensor | None
    latents: Tensor
    rows: slice
    batch: int
    index: int


@dataclass(frozen=True)
class Players:
    """The networks of a game.

    Attributes:
        generator: G.
        critic: The critic.
        encoder: E; None for a game without.
        have: The range of the data's values.
        joint: Whether gradient goes on from E(G(z)) into G.
        draws: The random states of values.
        dtype: What the networks compute in.
    """

    generator: Generator
    critic: Critic
    encoder: Encoder | None
    have: Range
    joint: bool
    draws: Draws
    dtype: torch.dtype

    def play(
        self, turn: Turn, part: Part, graphs: Collection[str] = (), exact: bool = False
    ) -> Play:
        """Return the play of one part of a batch.

        Args:
            turn: Whose it is.
            part: The draws.
            graphs: The sides, `data` or `model`, at whose images (and latents, for pairs) the scores
                will be differentiated: these are then in the graph, and the critic computes in float32.
            exact: Whether it computes in float32 on both sides anyway.
        """
        passes = _Passes(self, turn, part.index)

        def noise(name: str, *shape: int, law: Literal["uniform", "normal"]) -> Tensor:
            draw: Callable[..., Tensor] = torch.rand if law == "uniform" else torch.randn
            # Drawn for the whole batch and cut: the same numbers however it is chunked.
            with self.draws.of(f"{turn}/noise/{name}"):
                return draw(part.batch, *shape, device=part.latents.device)[part.rows]

        return Play(
            _Data(passes, part, graph="data" in graphs, exact=exact).side(),
            _Model(passes, part, graph="model" in graphs, exact=exact).side(),
            passes.again,
            noise,
            share=len(part.latents) / part.batch,
            pairs=self.critic.pairs,
            weights=[p for p in self.critic.parameters() if turn == "critic" and p.requires_grad],
        )

    def again(
        self,
        turn: Turn,
        chunk: int,
        images: Tensor,
        latents: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> tuple[Scores, Features]:
        """Call the critic on images of its own range, in float32 whatever it computes in.

        All calls of a turn run under the same random state.
        """
        passes = _Passes(self, turn, chunk)
        return passes.judged("critic", images, lambda: latents, labels, torch.float32)


@dataclass(frozen=True)
class _Passes:
    """The networks, each pass under the random state of what it makes."""

    players: Players
    turn: Turn
    chunk: int

    @contextmanager
    def state(self, value: str) -> Iterator[None]:
        """Make a value under its own random state."""
        with self.players.draws.of(f"{self.turn}/{value}", self.chunk):
            yield

    @contextmanager
    def learner(self, value: str) -> Iterator[None]:
        """Make a value of G or E: without a graph if it is the critic's turn."""
        graph = torch.is_grad_enabled() and self.turn == "generator"
        with self.state(value), torch.set_grad_enabled(graph):
            yield

    def generated(self, value: str, latents: Tensor) -> Tensor:
        """Return G(latents), in G's range."""
        with self.learner(value):
            with autocast(latents.device, self.players.dtype):
                images: Tensor = self.players.generator(latents)
            return _wide(images)

    def encoded(self, value: str, images: Tensor, have: Range) -> Tensor:
        """Return E(images)."""
        encoder = self.players.encoder
        assert encoder is not None
        with self.learner(value):
            images = resized(images, encoder.image)
            with autocast(images.device, self.players.dtype):
                code: Tensor = encoder(to_range(images, have, encoder.range))
            return _wide(code)

    def judged(
        self,
        value: str,
        images: Tensor,
        latents: Callable[[], Tensor | None],
        labels: Tensor | None,
        dtype: torch.dtype,
    ) -> tuple[Scores, Features]:
        """Return what the critic says, its latents made only if it looks at any."""
        critic = self.players.critic
        pair = latents() if critic.pairs else None
        with self.state(value), autocast(images.device, dtype):
            scores, features = critic.judge(images, pair, labels if critic.classes else None)
        return _floats(scores), _floats(features)

    def again(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> Scores:
        """Return what the critic says of further images."""
        return self.players.again(self.turn, self.chunk, images, latents, labels)[0]


class _Source(ABC):
    """What a side is made of; all of it is made when it is first asked for, and kept.

    Args:
        passes: The networks.
        part: The draws.
        graph: Whether scores will be differentiated at the images.
        exact: Whether the critic computes in float32 in any case.
    """

    name: ClassVar[str]

    def __init__(self, passes: _Passes, part: Part, *, graph: bool, exact: bool) -> None:
        self.passes = passes
        self.players = passes.players
        self.part = part
        self.graph = graph
        self.exact = exact

    def side(self) -> Side:
        """Return the side, without what there is not in this game."""
        encoded = self.players.encoder is not None
        values: dict[str, Any] = {
            "images": lambda: self.images,
            "labels": lambda: self.labels,
            "scores": lambda: self.judged[0],
            "features": self._features,
        }
        if encoded or self.name == "model":
            values["latents"] = lambda: self.latents
        if encoded:
            values["reconstruction"] = lambda: self._shown(self.reconstruction)
            values["inversion"] = lambda: self.inversion
        return Side(self.name, values)

    @cached_property
    def images(self) -> Tensor:
        """As the critic sees them."""
        return self._leaf(self._images())

    @cached_property
    def latents(self) -> Tensor:
        """Without classes."""
        latents = self._latents()
        return self._leaf(latents) if self.players.critic.pairs else latents

    @cached_property
    def judged(self) -> tuple[Scores, Features]:
        """Scores and features."""
        dtype = torch.float32 if self.graph or self.exact else self.players.dtype
        return self.passes.judged(
            f"{self.name}/scores", self.images, lambda: self.latents, self.labels, dtype
        )

    @property
    @abstractmethod
    def labels(self) -> Tensor | None:
        """Classes."""

    @property
    @abstractmethod
    def reconstruction(self) -> Tensor:
        """G(E(images)), in G's range."""

    @property
    @abstractmethod
    def inversion(self) -> Tensor:
        """E(G(latents))."""

    @abstractmethod
    def _images(self) -> Tensor:
        """Return them in the critic's range."""

    @abstractmethod
    def _latents(self) -> Tensor:
        """Return them without classes."""

    def _features(self) -> Features:
        features = self.judged[1]
        if not features:
            raise Incompatible(
                f"features of the critic were asked for, and {type(self.players.critic).__name__} "
                "offers none; type another --critic (gentk list critic)"
            )
        return features

    def _shown(self, images: Tensor) -> Tensor:
        """Return what G made as the critic sees it."""
        return to_range(images, self.players.generator.range, self.players.critic.range)

    def _leaf(self, value: Tensor) -> Tensor:
        """Let scores be differentiated at a value, where they will be."""
        if self.graph and not value.requires_grad:
            return value.detach().requires_grad_()
        return value

    def _generated(self, codes: Tensor) -> Tensor:
        """Return G of codes that the encoder made."""
        latents = self.players.generator.prior.join(codes, self.labels)
        return self.passes.generated(f"{self.name}/reconstruction", latents)


class _Data(_Source):
    """x and E(x)."""

    name = "data"

    @property
    def labels(self) -> Tensor | None:
        """Those of the data."""
        return self.part.labels

    @cached_property
    def reconstruction(self) -> Tensor:
        """G(E(x))."""
        return self._generated(self.latents)

    @cached_property
    def inversion(self) -> Tensor:
        """E(G(E(x)))."""
        have = self.players.generator.range
        return self.passes.encoded("data/inversion", self.reconstruction, have)

    def _images(self) -> Tensor:
        images = resized(self.part.images, self.players.critic.image)
        return to_range(images, self.players.have, self.players.critic.range)

    def _latents(self) -> Tensor:
        return self.passes.encoded("data/latents", self.part.images, self.players.have)


class _Model(_Source):
    """G(z) and z."""

    name = "model"

    @property
    def labels(self) -> Tensor | None:
        """The classes that images were made of."""
        return self.players.generator.prior.split(self.part.latents)[1]

    @cached_property
    def made(self) -> Tensor:
        """G(z), in G's range."""
        return self.passes.generated("model/images", self.part.latents)

    @cached_property
    def inversion(self) -> Tensor:
        """E(G(z)), which moves G in a joint game alone."""
        images = self.made if self.players.joint else self.made.detach()
        return self.passes.encoded("model/inversion", images, self.players.generator.range)

    @cached_property
    def reconstruction(self) -> Tensor:
        """G(E(G(z)))."""
        return self._generated(self.inversion)

    def _images(self) -> Tensor:
        return self._shown(self.made)

    def _latents(self) -> Tensor:
        return self.players.generator.prior.split(self.part.latents)[0]


def _wide(value: Tensor) -> Tensor:
    """Return a value in float32, or in float64 if that is what it comes in."""
    return value if value.dtype == torch.float64 else value.float()


def _floats(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: _wide(value) for name, value in values.items()}
