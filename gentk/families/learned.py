"""Learned features: whether a run matches the features of its own critic, and what that rules out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast

from ..errors import Incompatible
from ..interfaces import Critic, Extractor
from ..recipe import Recipe
from ..registry import Registry
from ..selection import Selection
from .base import Family
from .composition import LossPart
from .lookup import family_of_all
from .shared import shared_options

__all__ = ["architecture", "check_learned", "family_for", "learned_extractors"]


def family_for(
    r: Recipe, losses: Sequence[LossPart], registry: Registry
) -> tuple[Family, LossPart]:
    """Return the family that trains a recipe, and the loss that it is found by.

    Args:
        r: The recipe, whose extractors say whether features are learned.
        losses: Its losses, built.
        registry: Where families are looked up.
    """
    return family_of_all(losses, registry, learned=bool(_learned(r, registry)))


def check_learned(family: Family, r: Recipe, registry: Registry) -> None:
    """Refuse extractors of a critic's features in runs of a family that trains on none."""
    names = _learned(r, registry)
    if names and not family.learned and "extractor" in family.uses:
        raise Incompatible(
            f"extractor {names[0]!r} is the features of the run's own critic, and a run with loss "
            f"{' and '.join(map(repr, r.losses))} trains none; type another --extractor (gentk list "
            "extractor)"
        )


def architecture(critic: Critic) -> str:
    """Return a digest of a critic's class and the sizes of its weights, which do not count."""
    kind = type(critic)
    digest = hashlib.blake2b(f"{kind.__module__}:{kind.__qualname__}".encode(), digest_size=16)
    for name, value in critic.state_dict().items():
        digest.update(f"{name} {tuple(value.shape)}\n".encode())
    return digest.hexdigest()


def learned_extractors(r: Recipe, registry: Registry) -> list[Extractor]:
    """Return the extractors that see the features of a critic, built; they have no weights."""
    return [
        cast(Extractor, registry.build("extractor", text, shared=shared_options("extractor"))[0])
        for text in _learned(r, registry)
    ]


def _learned(r: Recipe, registry: Registry) -> list[str]:
    """Return the extractors that see the features of a critic."""
    texts = [text for text in r.extractor if registry.knows("extractor", text)]
    targets = {text: registry.find("extractor", Selection.parse(text).name) for text in texts}
    return [
        text
        for text, provided in targets.items()
        if getattr(registry.target(provided), "sees", None) == "critic"
    ]
