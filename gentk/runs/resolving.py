"""Resolving: a recipe by name and what is typed beside it, without any library of arrays.

A recipe that starts from a run (`init`) and names no generator takes over that of the run with its
encoder and codec, and one that names no data the run's: values under the recipe, over the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..errors import RunError, UsageError
from ..library import Library
from ..models import PREFIX
from ..overlay import OPTIONS
from ..recipe import Resolved, resolve
from ..registry import Registry
from ..selection import unquoted
from .model import folder_of

__all__ = ["FILE", "inherited", "resolve_recipe", "table_of"]

FILE: Final = ".safetensors"
"""How the name of a file of weights ends."""

DEFAULT: Final = "gfmn"
"""The recipe that flags are laid over where none is named: it needs no labels of any data."""

NETWORKS: Final = ("generator", "encoder", "codec")
"""Keys that are taken over together, where the recipe names no generator."""

Tables = Mapping[str, Mapping[str, Any]]


def table_of(recipe: str | None, registry: Registry) -> tuple[str, dict[str, Any]]:
    """Return the name and the table of a recipe by name or path, `gfmn` without one."""
    return Library(registry.modules).read(recipe or DEFAULT)


def resolve_recipe(
    recipe: str | None = None, flags: Mapping[str, Any] | None = None, *, registry: Registry
) -> Resolved:
    """Find a recipe by name or path (`gfmn` without one) and lay flags over it.

    Where no recipe is named, data and networks are those of the run that `init` names.

    Raises:
        RunError: What it starts from, and should take its generator from, is no run.
        UsageError: The same, where nobody typed a run.
    """
    name, table = table_of(recipe, registry)
    resolved = resolve(name, table, flags or {})
    r = resolved.recipe
    named = table if recipe is not None else {}
    try:
        under = inherited(r.init, named, flags or {}, r.stage, registry)
    except RunError:
        if resolved.origins["init"].startswith("--"):
            raise
        raise UsageError(
            f"recipe {name!r} goes on with a trained generator; type --init run:FOLDER, the folder of "
            "a finished run (ls runs), or --init FILE.safetensors with --generator and --data"
        ) from None
    if not under:
        return resolved
    above = {key: value for key, value in table.items() if key in named or key not in under}
    return resolve(name, above, flags or {}, under)


def inherited(
    init: str | None,
    table: Mapping[str, Any],
    flags: Mapping[str, Any],
    stages: Tables,
    registry: Registry,
) -> dict[str, Any]:
    """Return the keys that a recipe takes over from what it starts from.

    Args:
        init: What that is; of several runs nothing is taken over: their stack is another network.
        table: The recipe's.
        flags: What is typed beside it.
        stages: The recipe's, by name.
        registry: Where recipes and models are looked up.

    Raises:
        RunError: It is no run.
    """
    wanted = [key for key in ("data", "generator") if _open(key, table, flags)]
    if init is None or "+" in init or not wanted:
        return {}
    own: Mapping[str, Any] = {}
    if init.startswith("stage:"):
        # It shares the run's data, or says itself which others it has.
        own = _of_stage(stages.get(init.removeprefix("stage:"), {}), stages, registry)
    elif init.startswith(("run:", PREFIX)):
        place = unquoted(init.removeprefix("run:"))
        folder = folder_of(
            place if place.startswith(PREFIX) else Path(place).expanduser(), registry
        )
        recipe = folder.read()["recipe"]
        own = {
            key: folder.locate(value) if key == "codec" and value else value
            for key, value in recipe.items()
        }
    keys = [key for key in ("data", *NETWORKS) if (key if key == "data" else "generator") in wanted]
    return {key: own[key] for key in keys if own.get(key) is not None}


def _open(key: str, table: Mapping[str, Any], flags: Mapping[str, Any]) -> bool:
    """Say whether nobody names a key's component; options alone are laid over what is taken over."""
    typed = flags.get(key)
    return key not in table and (typed is None or bool(OPTIONS.match(str(typed))))


def _of_stage(table: Mapping[str, Any], stages: Tables, registry: Registry) -> dict[str, Any]:
    """Return the networks of a stage, as its table and the recipe it starts from say."""
    base = table_of(str(table["recipe"]), registry)[1] if "recipe" in table else {}
    whole = {**base, **table}
    before = inherited(whole.get("init"), whole, {}, stages, registry)
    return {key: value for key, value in {**before, **whole}.items() if key in NETWORKS}
