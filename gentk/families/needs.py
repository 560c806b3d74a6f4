"""Needs: what a run must have for its loss and its family, refused by name before it is loaded."""

from __future__ import annotations

from ..errors import Incompatible
from ..interfaces import NEEDS, Loss
from ..recipe import Recipe
from ..registry import Registry
from .base import Family

__all__ = ["check_needs", "needs_of"]


def needs_of(family: Family, loss: Loss) -> frozenset[str]:
    """Return all that a run must have."""
    return family.needs | loss.needs


def check_needs(family: Family, loss: Loss, r: Recipe, registry: Registry) -> None:
    """Raise `Incompatible` for the first thing that a run must have and has not.

    Whether data have labels is known only when they are opened.
    """
    for need in sorted(needs_of(family, loss)):
        if need not in NEEDS:
            raise Incompatible(
                f"loss {r.loss!r} needs {need!r}, which no run can have; its author can ask for "
                f"{' or '.join(NEEDS)}"
            )
        if need not in family.uses:
            raise Incompatible(
                f"loss {r.loss!r} needs {NEEDS[need]}, and a run with a {family.loss.__name__} has "
                "none; type another --loss (gentk list loss)"
            )
        if need != "labels" and getattr(r, need) is None:
            # One with an argument is no answer by its name alone.
            parts = [provided.component for provided in registry.select(need)]
            names = [part.name for part in parts if part.argument is None]
            raise Incompatible(
                f"loss {r.loss!r} needs {NEEDS[need]}, and there is no {need}; type --{need} "
                f"{' or '.join(names) or 'NAME'}"
            )
