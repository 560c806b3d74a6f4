"""Stages: the runs a recipe wants made before its own, each a run in `stages/NAME/`.

    codec = "stage:ae"

    [stage.ae]
    recipe = "ae"

A stage's table holds keys of a recipe, over those of the recipe it starts from. What every run of one
experiment shares (`SHARED`) it takes from the run it is a stage of, unless its table says otherwise.
Later stages and the run itself write `stage:NAME` wherever `run:FOLDER` may stand; a stage that nobody
names is not made, so that `--codec run:FOLDER` puts a finished run in its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..budget import UNITS
from ..errors import BadRecipe
from ..overlay import over
from ..recipe import Resolved, resolve
from ..registry import Registry
from .folder import RunFolder
from .resolving import inherited, table_of

__all__ = ["budgets", "plan"]

SHARED = ("data", "seed", "device", "dtype", "threads")


def plan(resolved: Resolved, registry: Registry) -> list[tuple[str, Resolved]]:
    """Return the stages to be made, in order, resolved into their folders.

    Raises:
        BadRecipe: A stage's table has unknown keys, or names a stage that does not come before it.
        UnknownName: A stage starts from a recipe that there is not.
    """
    r = resolved.recipe
    folder = RunFolder(resolved.folder())
    wanted = _named(r.model_dump(exclude={"stage"}))
    stages = []
    for name, table in reversed(r.stage.items()):
        if name in wanted:
            wanted |= _named(table)
            stages.append((name, _stage(name, table, resolved, folder, registry)))
    stages.reverse()
    before: set[str] = set()
    for name, _ in stages:
        late = sorted(_named(r.stage[name]) - before)
        if late:
            raise BadRecipe(
                f"stage {name!r} of recipe {resolved.name!r} names stage {late[0]!r}, which does not "
                f"come before it; write [stage.{late[0]}] above [stage.{name}]"
            )
        before.add(name)
    return stages


def _stage(
    name: str, table: Mapping[str, Any], of: Resolved, folder: RunFolder, registry: Registry
) -> Resolved:
    """Resolve one stage."""
    shared = {key: getattr(of.recipe, key) for key in SHARED if getattr(of.recipe, key) is not None}
    own = {key: _located(value, folder) for key, value in table.items() if key != "recipe"}
    base = table_of(str(table["recipe"]), registry)[1] if "recipe" in table else {}
    init = table.get("init", base.get("init"))
    known = inherited(init, {**base, **shared, **own}, {}, of.recipe.stage, registry)
    label = f"{of.name}, stage {name}"
    out = {"out": str(folder.stages / name)}
    # Keys of stages of the stage, as they are typed.
    typed = {} if isinstance(own.get("stage"), Mapping) else {"stage": own.pop("stage", None)}
    under = {key: _located(value, folder) for key, value in known.items()}
    return resolve(label, over({**base, **shared}, {**own, **out}), typed, under)


def budgets(resolved: Resolved, registry: Registry) -> list[str]:
    """Say what `--steps` or another budget does not shorten: stages, which have budgets of their own."""
    typed = [key for key in UNITS if resolved.origins[key].startswith("--")]
    if not typed:
        return []
    key = typed[0]
    value = getattr(resolved.recipe, key)
    unfinished = _unfinished(resolved, registry)
    waiting = [(name, each) for name, each in unfinished if getattr(each.recipe, key) != value]
    if not waiting:
        return []
    shown = ", ".join(f"{name} {_budget(stage)}" for name, stage in waiting)
    words = " ".join(f"--stage {name}.{key}={value}" for name, _ in waiting)
    return [
        f"--{key} is the budget of the run itself; the stages before it have their own ({shown}): "
        f"for others add {words}"
    ]


def _unfinished(
    resolved: Resolved, registry: Registry, above: str = ""
) -> list[tuple[str, Resolved]]:
    """Return what is to be trained before a run, stages of stages first, as `--stage` names them."""
    waiting = []
    for name, stage in plan(resolved, registry):
        if RunFolder(stage.folder()).finished(stage.recipe) is None:
            waiting += _unfinished(stage, registry, f"{above}{name}.")
            waiting.append((f"{above}{name}", stage))
    return waiting


def _budget(stage: Resolved) -> str:
    r = stage.recipe
    limits = ((r.steps, "steps"), (r.minutes, "minutes"), (r.operations, "operations"))
    return " or ".join(f"{limit:,.6g} {unit}" for limit, unit in limits if limit is not None)


def _located(value: Any, folder: RunFolder) -> Any:
    """Write `stage:NAME` as the run it stands for, wherever it stands."""
    if isinstance(value, str):
        return folder.locate(value)
    if isinstance(value, (list, tuple)):
        return [_located(item, folder) for item in value]
    return value


def _named(table: Mapping[str, Any]) -> set[str]:
    """Return the stages that a recipe's values name."""
    texts = []
    for key in ("codec", "init", "extractor"):
        value = table.get(key) or ()
        texts += [value] if isinstance(value, str) else list(value)
    return {name for text in texts for name in re.findall(r"\bstage:([\w-]+)", str(text))}
