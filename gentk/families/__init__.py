"""Families: what a run of one class of losses consists of, and how it is trained.

What the author of a family needs is imported from here; `gentk list` imports this module too, so the
names come when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import spec as gentk

if TYPE_CHECKING:
    from .contract import KEYS as KEYS
    from .contract import Advance as Advance
    from .contract import Composition as Composition
    from .contract import Family as Family
    from .contract import LossPart as LossPart
    from .contract import Phase as Phase
    from .contract import Program as Program
    from .contract import Recipe as Recipe
    from .contract import Registry as Registry
    from .contract import Stateful as Stateful
    from .contract import Watch as Watch
    from .contract import World as World
    from .contract import check_estimator as check_estimator
    from .contract import derive as derive
    from .contract import labels_of as labels_of
    from .contract import learned_extractors as learned_extractors
    from .contract import loss_of as loss_of
    from .contract import minibatches as minibatches
    from .contract import penalise as penalise
    from .contract import penalties as penalties
    from .contract import samples as samples

__all__ = [
    "KEYS",
    "Advance",
    "Composition",
    "Family",
    "LossPart",
    "Phase",
    "Program",
    "Recipe",
    "Registry",
    "Stateful",
    "Watch",
    "World",
    "check_estimator",
    "derive",
    "gentk_components",
    "labels_of",
    "learned_extractors",
    "loss_of",
    "minibatches",
    "penalise",
    "penalties",
    "samples",
]


def __getattr__(name: str) -> Any:
    """Import a name of the contract when it is first asked for."""
    if name in __all__:
        from . import contract

        return getattr(contract, name)
    raise AttributeError(f"module 'gentk.families' has no attribute {name!r}")


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the parts of this room."""
    return [
        gentk.Component(
            kind="family",
            name="matching",
            target="gentk.families.matching:MatchingFamily",
            summary="a generator's statistics are brought to those of the data",
        ),
        gentk.Component(
            kind="family",
            name="autoencoding",
            target="gentk.families.autoencoding:AutoencodingFamily",
            summary="an encoder and a generator invert each other",
        ),
    ]
