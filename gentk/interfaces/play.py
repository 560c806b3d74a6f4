"""Plays: what a game shows the losses and penalties of a turn, made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from torch import Tensor

from ..errors import Incompatible
from .values import Features, Scores

__all__ = ["Critique", "Noise", "Play", "Side"]

NAMES = ("images", "latents", "labels", "scores", "features", "reconstruction", "inversion")
"""What a side may hold."""


class Critique(Protocol):
    """The critic as a penalty calls it, on images of its own."""

    def __call__(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> Scores:
        """Return scores (N,) by name, of images (N, C, H, W) in the critic's range."""
        ...


class Noise(Protocol):
    """Random numbers of a play: rows of a draw for the whole batch."""

    def __call__(self, name: str, *shape: int, law: Literal["uniform", "normal"]) -> Tensor:
        """Return (N, *shape) numbers of U(0, 1) or N(0, 1); the same ones for the same name."""
        ...


class Side:
    """One side of a play, the data's or the model's: nothing of it is computed before it is asked for.

    What has been asked for is kept, so that it is computed once. The order of asking decides no value,
    since the random numbers of each are its own (the running averages of batch norms follow it).

    Args:
        name: `data` or `model`, for messages.
        values: Name -> the value, or a function that makes it. What is not there is refused by name.

    Attributes:
        asked: Name -> what has been asked for until now.
    """

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self.asked: dict[str, Any] = {}
        self._values = dict(values)

    @property
    def images(self) -> Tensor:
        """Images: x of the data, G(z) of the model, (N, C, H, W) as the critic sees them."""
        images: Tensor = self._value("images")
        return images

    @property
    def latents(self) -> Tensor:
        """E(x) of the data, z of the model: (N, latent), without the class."""
        latents: Tensor = self._value("latents")
        return latents

    @property
    def labels(self) -> Tensor | None:
        """The classes of the images, (N,) int64; None where there are none."""
        labels: Tensor | None = self._value("labels")
        return labels

    @property
    def scores(self) -> Scores:
        """What the critic says of the side, score name -> (N,)."""
        scores: Scores = self._value("scores")
        return scores

    @property
    def features(self) -> Features:
        """The critic's features of the side, from the pass that gives the scores."""
        features: Features = self._value("features")
        return features

    @property
    def reconstruction(self) -> Tensor:
        """G(E(images)), (N, C, H, W) in the critic's range, at the generator's resolution."""
        images: Tensor = self._value("reconstruction")
        return images

    @property
    def inversion(self) -> Tensor:
        """E(G(latents)), (N, latent)."""
        latents: Tensor = self._value("inversion")
        return latents

    def _value(self, name: str) -> Any:
        if name not in self.asked:
            if name not in self._values:
                raise Incompatible(
                    f"the {self.name}'s {name} were asked for, and there are none in this game; "
                    "type another --loss or --penalty (gentk list loss)"
                )
            value = self._values[name]
            self.asked[name] = value() if callable(value) else value
        return self.asked[name]


class Play:
    """What a loss or a penalty sees of one turn: both sides, and the critic to be called again.

    In the critic's turn generator and encoder are constants: images and latents of both sides, and what
    is made of them, have no graph, and gradient reaches the critic alone. In the generator's turn the
    critic is the constant: gradient reaches the generator through the model's images and the encoder
    through the data's latents. Everything may be asked for in both turns; what a game without an
    encoder does not have (the data's latents, reconstructions, inversions), or a critic without
    features, is refused with `Incompatible`.

    Args:
        data: x, E(x) and what the critic says of them.
        model: G(z), z and what the critic says of them.
        critic: Calls the critic again, in float32 under autocast too, so that what it returns can be
            differentiated twice. All calls of a turn run under the same random state.
        noise: Draws random numbers.
        share: The part of the batch that this play is, 1 without chunks.
        witness: Calls the witness function of the matching losses that the turn plays for, as the critic
            is called; refused with `Incompatible` where there are none.
        weights: The critic's weights that the turn trains, for penalties on gradients in them; none in
            the generator's turn.
        pairs: Whether the critic looks at latents: in the generator's turn the data's scores then have a
            gradient, the encoder's.
    """

    def __init__(
        self,
        data: Side,
        model: Side,
        critic: Critique,
        noise: Noise,
        *,
        share: float = 1.0,
        pairs: bool = False,
        witness: Callable[..., Tensor] | None = None,
        weights: Sequence[Tensor] = (),
    ) -> None:
        self.data = data
        self.model = model
        self.critic: Callable[..., Scores] = critic
        self.noise: Noise = noise
        self.witness: Callable[..., Tensor] = witness or _unwitnessed
        self.weights = tuple(weights)
        self.share = share
        self.pairs = pairs

    @property
    def sides(self) -> dict[str, Side]:
        """`data` and `model`."""
        return {"data": self.data, "model": self.model}


def _unwitnessed(*points: Tensor | None, labels: Tensor | None = None) -> Tensor:
    raise Incompatible(
        "a witness function was asked for, and no matching loss on the critic's features is played for "
        "in this turn; leave of=witness out, or type --extractor critic with a matching --loss"
    )
