"""Seeds: the same recipe several times, each run in a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..registry import Registry
from .resolving import resolve_recipe

__all__ = ["seeded"]


def seeded(
    recipe: str | None, flags: Mapping[str, Any], count: int, registry: Registry
) -> list[dict[str, Any]]:
    """Return the flags of `count` runs that differ in their seed: one after another from --seed on.

    Folders are called after the first one's, or --out, and the seed: FOLDER-seed0, FOLDER-seed1, ...

    Raises:
        UsageError: No run at all is asked for.
    """
    if count < 1:
        raise UsageError(f"{count} seeds make no run; type --seeds 3")
    first = resolve_recipe(recipe, flags, registry=registry)
    base, seed = first.folder(), first.recipe.seed
    return [{**flags, "seed": s, "out": f"{base}-seed{s}"} for s in range(seed, seed + count)]
