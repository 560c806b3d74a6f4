"""All that the author of a family needs, in one place: `from gentk.families import Family, ...`."""

from __future__ import annotations

from ..engine import Phase, World
from ..engine.loop import Stateful, Watch
from ..engine.penalty import penalise
from ..engine.randomness import derive
from ..recipe import Recipe
from ..registry import Registry
from .base import (
    KEYS,
    Advance,
    Family,
    Program,
    labels_of,
    loss_of,
    minibatches,
    penalties,
    samples,
)
from .composition import Composition, LossPart
from .estimators import check_estimator
from .learned import learned_extractors

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
    "labels_of",
    "learned_extractors",
    "loss_of",
    "minibatches",
    "penalise",
    "penalties",
    "samples",
]
