"""Recipes: what a run is made of, validated, with the origin of every value.

Precedence: the defaults below < a recipe file < flags. Names resolve in the registry, never as
import paths, so a downloaded recipe cannot run code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import BadRecipe, UsageError, did_you_mean
from .keys import KEYS
from .seed import SEEDS

__all__ = ["Change", "Decay", "PhaseRecipe", "Recipe", "Resolved", "resolve"]

Decay = Literal["none", "linear", "cosine"]
"""How a learning rate falls over the budget."""

PASSING = frozenset({"steps", "minutes", "out", "device", "threads", "observer", "summary"})
"""Keys that do not make a run another run."""


class Change(BaseModel):
    """A change of optimiser settings after a number of images seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: int = Field(ge=0)
    set: dict[str, float | bool | list[float]]


class PhaseRecipe(BaseModel):
    """What a phase, or one network in it, does differently; `repeat` is a phase's steps per turn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    optimizer: str | None = None
    schedule: tuple[Change, ...] | None = None
    decay: Decay | None = None
    repeat: int | None = Field(None, ge=1)


class Recipe(BaseModel):
    """What a run is made of. Components are written `NAME[:ARGUMENT][,KEY=VALUE...]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    summary: str = Field("", description=KEYS["summary"])
    data: str = Field(
        "digits,size=32",
        description=KEYS["data"],
    )
    extractor: tuple[str, ...] = Field(
        ("pixels",),
        min_length=1,
        description=KEYS["extractor"],
    )
    generator: str = Field("resnet,width=16", description=KEYS["generator"])
    encoder: str | None = Field(None, description=KEYS["encoder"])
    critic: str | None = Field(None, description=KEYS["critic"])
    loss: str = Field("moments", description=KEYS["loss"])
    estimator: str = Field("batch", description=KEYS["estimator"])
    batch: int = Field(64, ge=2, le=2**24, description=KEYS["batch"])
    chunk: int | None = Field(None, ge=1, description=KEYS["chunk"])
    reference: int | None = Field(
        None,
        ge=2,
        description=KEYS["reference"],
    )
    optimizer: str = Field(
        "adam,lr=1e-3,betas=0.5+0.999",
        description=KEYS["optimizer"],
    )
    schedule: tuple[Change, ...] = Field((), description=KEYS["schedule"])
    decay: Decay = Field("none", description=KEYS["decay"])
    clip: float | None = Field(None, gt=0, description=KEYS["clip"])
    ema: float | None = Field(None, gt=0, lt=1, description=KEYS["ema"])
    steps: int | None = Field(None, ge=1, description=KEYS["steps"])
    minutes: float | None = Field(None, gt=0, description=KEYS["minutes"])
    init: str | None = Field(None, description=KEYS["init"])
    codec: str | None = Field(None, description=KEYS["codec"])
    seed: int = Field(0, ge=SEEDS.start, lt=SEEDS.stop, description=KEYS["seed"])
    device: str = Field("auto", description=KEYS["device"])
    dtype: Literal["float32", "bfloat16"] = Field("float32", description=KEYS["dtype"])
    threads: int | None = Field(None, ge=1, le=1024, description=KEYS["threads"])
    out: str | None = Field(None, description=KEYS["out"])
    observer: tuple[str, ...] = Field(
        ("progress", "metrics", "grids"), description=KEYS["observer"]
    )
    phase: dict[str, PhaseRecipe] = Field({}, description=KEYS["phase"])
    stage: dict[str, dict[str, Any]] = Field({}, description=KEYS["stage"])

    def identity(self) -> str:
        """Return eight hex digits of all that makes this run another than others.

        What is not set does not count, so that a new key leaves the runs there are alone.
        """
        table = self.model_dump(mode="json", exclude=set(PASSING))
        table = {key: value for key, value in table.items() if value not in (None, {}, [])}
        text = json.dumps(table, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


@dataclass(frozen=True)
class Resolved:
    """A recipe with the name it goes by and where each value came from."""

    name: str
    recipe: Recipe
    origins: dict[str, str]

    def folder(self) -> Path:
        """Return where the run goes: `out`, or runs/RECIPE-HASH8."""
        return Path(self.recipe.out or f"runs/{self.name}-{self.recipe.identity()}")


def resolve(name: str, table: Mapping[str, Any], flags: Mapping[str, Any]) -> Resolved:
    """Lay flags over a recipe's table over the defaults.

    Args:
        name: What the recipe is called.
        table: What its file holds.
        flags: Key -> value given on the command line or as keyword arguments; None is not given,
            and `"none"` takes back what the recipe says where a key may be left away (`ema`).

    Raises:
        BadRecipe: Unknown keys or values of the wrong type in the table.
        UsageError: The same in the flags.
    """
    from_file = {key: _listed(key, value) for key, value in table.items()}
    _check(from_file, f"recipe {name!r}", BadRecipe)
    from_flags = {key: _given(key, value) for key, value in flags.items() if value is not None}
    if "steps" in from_flags or "minutes" in from_flags:
        # A budget given by hand replaces the recipe's, whichever unit that was in.
        from_file = {k: v for k, v in from_file.items() if k not in ("steps", "minutes")}
    _check(from_flags, "the command", UsageError)
    given = {"optimizer", "schedule", "decay"} & from_flags.keys()
    if given and "phase" in from_file:
        # What is asked for by hand holds for every phase.
        from_file["phase"] = {
            name: {key: value for key, value in phase.items() if key not in given}
            for name, phase in from_file["phase"].items()
        }
    recipe = Recipe.model_validate({**from_file, **from_flags})
    if recipe.steps is None and recipe.minutes is None:
        raise UsageError(f"recipe {name!r} has no budget; add --steps 1000 or --minutes 5")
    origins = dict.fromkeys(Recipe.model_fields, "default")
    origins |= dict.fromkeys(from_file, f"recipe {name}")
    origins |= {key: f"--{key}" for key in from_flags}
    return Resolved(name, recipe, origins)


def _listed(key: str, value: Any) -> Any:
    """Let one extractor or observer be written without a list."""
    return (value,) if key in ("extractor", "observer") and isinstance(value, str) else value


def _given(key: str, value: Any) -> Any:
    """Read `"none"` where a key may be None."""
    field = Recipe.model_fields.get(key)
    takes_back = value == "none" and field is not None and field.default is None
    return None if takes_back else _listed(key, value)


def _check(table: Mapping[str, Any], owner: str, kind: type[UsageError]) -> None:
    try:
        Recipe.model_validate(dict(table))
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            hint = did_you_mean(key, Recipe.model_fields)
            keys = ", ".join(Recipe.model_fields)
            raise kind(f"{owner} has no key {key!r}; {hint}keys are {keys}") from None
        given, wanted = repr(fault["input"])[:60], fault["msg"]
        raise kind(
            f"{owner}: {key} = {given} is wrong, {wanted[0].lower()}{wanted[1:]}; "
            "type: gentk run --help"
        ) from None
