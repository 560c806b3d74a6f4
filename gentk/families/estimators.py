"""Estimators: which of them can follow the statistics of a matching loss."""

from __future__ import annotations

from typing import cast

from ..errors import GentkError, Incompatible
from ..interfaces import Estimator, MatchingLoss
from ..recipe import Recipe
from ..registry import Registry

__all__ = ["check_estimator"]


def check_estimator(
    r: Recipe, loss: MatchingLoss, registry: Registry, *, learned: bool = False
) -> None:
    """Refuse a loss and an estimator that do not fit.

    Args:
        r: The recipe, with this loss alone.
        loss: The loss.
        registry: Where names are looked up.
        learned: Whether features are others in each step.
    """
    estimator = cast(Estimator, registry.build("estimator", r.estimators[0])[0])
    if learned and estimator.remembers:
        raise Incompatible(
            f"estimator {r.estimators[0]!r} keeps statistics of earlier steps, and in a run with a "
            "critic they would be of other features in each; type --estimator batch"
        )
    for name, kind in loss.kinds().items():
        if name not in loss.untracked and kind not in estimator.accepts:
            fitting = _fitting(kind, registry)
            raise Incompatible(
                f"estimator {r.estimators[0]!r} cannot track the statistic {name!r} ({kind}) of "
                f"loss {r.losses[0]!r}; type --estimator {' or '.join(fitting)}"
            )


def _fitting(kind: str, registry: Registry) -> list[str]:
    """Return the estimators that accept a kind of statistic."""
    names = []
    for provided in registry.select("estimator"):
        try:
            accepts: frozenset[str] = getattr(registry.target(provided), "accepts", frozenset())
        except GentkError:
            continue
        if kind in accepts:
            names.append(provided.component.name)
    return names
