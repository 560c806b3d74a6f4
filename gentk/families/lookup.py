"""The families there are, and which one a loss belongs to."""

from __future__ import annotations

from ..errors import Incompatible
from ..interfaces import Loss
from .adversarial import AdversarialFamily
from .autoencoding import AutoencodingFamily
from .base import Family
from .matching import MatchingFamily

__all__ = ["FAMILIES", "family_of"]

FAMILIES: tuple[Family, ...] = (MatchingFamily(), AutoencodingFamily(), AdversarialFamily())


def family_of(loss: Loss, text: str) -> Family:
    """Return the family that trains with a loss; raise `Incompatible` if none does.

    Args:
        loss: The loss.
        text: How it was written.
    """
    for family in FAMILIES:
        if isinstance(loss, family.loss):
            return family
    kinds = " or a ".join(family.loss.__name__ for family in FAMILIES)
    raise Incompatible(
        f"loss {text!r} is a {type(loss).__name__}, and a run needs a {kinds}; type --loss moments"
    )
