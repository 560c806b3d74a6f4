"""Penalties: terms that a step of a game minimises besides its loss."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from . import returned
from .networks import Critic
from .play import Play
from .promise import Promising, promises

__all__ = ["Penalty"]


class Penalty(Promising, ABC):
    """Terms that are added to a turn's loss: on a critic's gradient, its scores, its weights.

    It belongs to a phase, the critic's as a rule, and moves what that phase trains. Its terms are means
    over samples, so that a chunked batch is gradient accumulation; a penalty whose terms are not says
    so in `means`. Constructors take options only.

    A penalty that differentiates scores at images of its own calls `play.critic`; one that does so at
    the images of a side names it in `graphs`, so that they are in the graph before the side is judged
    and one pass of the critic serves the loss and the penalty. Both are computed in float32 under
    autocast too, of both sides, which are compared: gradients of gradients in half precision are noise.

    Attributes:
        graphs: The sides, `data` or `model`, at whose images (and latents, of pairs) scores are
            differentiated.
        twice: Whether it differentiates scores of the sides in the critic's weights (`play.weights`), so
            that they are differentiated twice: they are then computed in float32 too.
        means: Whether all terms are means over samples. A run whose `chunk` is below its batch is
            refused otherwise, by name.
        witnessed: Whether it asks for the witness function of the matching losses of its turn
            (`play.witness`): a run without such is refused.
    """

    _kind = "penalty"

    graphs: frozenset[str] = frozenset()
    twice: bool = False
    means: bool = True
    witnessed: bool = False

    @promises(returned.weights)
    @abstractmethod
    def forward(self, play: Play) -> dict[str, Tensor]:
        """Return the terms, scalars by name; their sum is minimised, weights included."""

    def fit(self, critic: Critic) -> None:
        """Refuse a critic that it cannot be of.

        Raises:
            Incompatible: In one sentence that says what to type instead.
        """

    def __call__(self, play: Play) -> dict[str, Tensor]:
        """Return `forward(play)`."""
        return self.forward(play)
