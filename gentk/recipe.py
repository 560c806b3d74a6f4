"""Recipes: what a run is made of, validated, with the origin of every value.

Precedence: the defaults below < a recipe file < flags. Names resolve in the registry, never as
import paths, so a downloaded recipe cannot run code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from pydantic_core import PydanticKnownError

from .budget import UNITS, Budget
from .errors import BadRecipe, UsageError, did_you_mean
from .keys import KEYS
from .numerals import NOTHING, minutes_meant, several_meant, whole_meant
from .overlay import Overlay, laid, listed, over
from .seed import SEEDS
from .validation import Fault, first_fault

__all__ = ["Change", "Decay", "PhaseRecipe", "Recipe", "Resolved", "resolve"]

Decay = Literal["none", "linear", "cosine"]
"""How a learning rate falls over the budget."""


def _single(value: Any) -> Any:
    """Return the only item of a list of one: what stands alone is kept alone."""
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value


OneOrMore = Annotated[
    str | Annotated[tuple[str, ...], Field(min_length=1)], BeforeValidator(_single)
]
"""One name, or several: one is written without a list, so that it is what it always was."""

PENALISED = "critic"
"""The phase that a recipe's `penalty` is of."""

NUMBERS = (*UNITS, "batch", "chunk", "reference", "clip", "ema", "seed", "threads")
"""Keys whose values are numbers."""

COUNTED = frozenset({"optimizer", "schedule", "decay", "repeat"})
"""Keys of a phase that count for a run's identity also where they are not set, as they always have."""

PASSING = frozenset({*UNITS, "out", "device", "threads", "observer", "summary"})
"""Keys that do not make a run another run."""


class Change(BaseModel):
    """A change of optimiser settings after a number of images seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: int = Field(ge=0, description="Images seen from which on it holds")
    set: dict[str, float | bool | list[float]] = Field(
        description="Settings of the optimiser: name = value"
    )


class PhaseRecipe(BaseModel):
    """What a phase, or one network in it, does differently.

    Of a phase alone are `repeat`, its steps per turn, `loss`, what its steps minimise instead of the
    run's, `penalty`, what they minimise besides, and `clamp`, the largest size of a weight: all
    parameters of the phase's networks are brought within it after each step.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    optimizer: str | None = Field(None, description="As the run's")
    schedule: tuple[Change, ...] | None = Field(None, description="As the run's")
    decay: Decay | None = Field(None, description="As the run's")
    repeat: int | None = Field(None, ge=1, description="Steps per turn")
    loss: str | None = Field(None, description="What its steps minimise instead of the run's")
    penalty: tuple[str, ...] | None = Field(None, description="What its steps minimise besides")
    clamp: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="The largest size of a weight"
    )

    @field_validator("penalty", mode="before")
    @classmethod
    def _one_penalty(cls, value: Any) -> Any:
        return listed("penalty", value)


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
    loss: OneOrMore = Field("moments", description=KEYS["loss"])
    penalty: tuple[str, ...] | None = Field(None, description=KEYS["penalty"])
    estimator: OneOrMore = Field("batch", description=KEYS["estimator"])
    batch: int = Field(64, ge=2, le=2**24, description=KEYS["batch"])
    chunk: int | None = Field(None, ge=1, description=KEYS["chunk"], examples=[32])
    reference: int | None = Field(
        None,
        ge=2,
        description=KEYS["reference"],
        examples=[64],
    )
    optimizer: str = Field(
        "adam,lr=1e-3,betas=0.5+0.999",
        description=KEYS["optimizer"],
    )
    schedule: tuple[Change, ...] = Field((), description=KEYS["schedule"])
    decay: Decay = Field("none", description=KEYS["decay"])
    clip: float | None = Field(None, gt=0, description=KEYS["clip"], examples=[10.0])
    ema: float | None = Field(None, gt=0, lt=1, description=KEYS["ema"], examples=[0.999])
    steps: int | None = Field(None, ge=1, description=KEYS["steps"], examples=[1000])
    minutes: float | None = Field(
        None, gt=0, allow_inf_nan=False, description=KEYS["minutes"], examples=[5]
    )
    operations: float | None = Field(
        None, gt=0, allow_inf_nan=False, description=KEYS["operations"], examples=[1e13]
    )
    init: str | None = Field(None, description=KEYS["init"])
    codec: str | None = Field(None, description=KEYS["codec"])
    seed: int = Field(0, ge=SEEDS.start, lt=SEEDS.stop, description=KEYS["seed"])
    device: str = Field("auto", description=KEYS["device"])
    dtype: Literal["float32", "bfloat16"] = Field("float32", description=KEYS["dtype"])
    threads: int | None = Field(None, ge=1, le=1024, description=KEYS["threads"], examples=[1])
    out: str | None = Field(None, description=KEYS["out"])
    observer: tuple[str, ...] = Field(
        ("progress", "metrics", "grids"), description=KEYS["observer"]
    )
    phase: dict[str, PhaseRecipe] = Field({}, description=KEYS["phase"])
    stage: dict[str, dict[str, Any]] = Field({}, description=KEYS["stage"])

    @field_validator(*NUMBERS, mode="before")
    @classmethod
    def _no_answer(cls, value: Any) -> Any:
        # pydantic reads true as 1, and false as 0.
        if isinstance(value, bool):
            raise PydanticKnownError("float_type")
        return value

    @property
    def losses(self) -> tuple[str, ...]:
        """All losses: their sum is minimised."""
        return (self.loss,) if isinstance(self.loss, str) else self.loss

    @property
    def estimators(self) -> tuple[str, ...]:
        """The estimator of each loss: one for all serves each by itself."""
        if isinstance(self.estimator, str):
            return (self.estimator,) * len(self.losses)
        return self.estimator

    @property
    def budget(self) -> Budget:
        """When the run ends."""
        return Budget(self.steps, self.minutes * 60 if self.minutes else None, self.operations)

    def alone(self, index: int) -> Recipe:
        """Return the recipe with one of its losses only, and its estimator."""
        own = {"loss": self.losses[index], "estimator": self.estimators[index]}
        return self.model_copy(update=own)

    def penalties(self, phase: str) -> tuple[str, ...]:
        """Return the penalties of a phase; `penalty` without a phase is the critic's."""
        own = self.phase.get(phase)
        if own is not None and own.penalty is not None:
            return own.penalty
        return (self.penalty or ()) if phase == PENALISED else ()

    def identity(self) -> str:
        """Return eight hex digits of all that makes this run another than others.

        What is not set does not count, so that a new key leaves the runs there are alone.
        """
        table = self.model_dump(mode="json", exclude=set(PASSING))
        table = {key: value for key, value in table.items() if value not in (None, {}, [])}
        if "phase" in table:
            table["phase"] = {
                name: {k: v for k, v in phase.items() if v is not None or k in COUNTED}
                for name, phase in table["phase"].items()
            }
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


def resolve(
    name: str,
    table: Mapping[str, Any],
    flags: Mapping[str, Any],
    under: Mapping[str, Any] | None = None,
) -> Resolved:
    """Lay flags over a recipe's table over the defaults.

    Args:
        name: What the recipe is called.
        table: What its file holds.
        flags: Key -> value given on the command line or as keyword arguments, as `gentk.overlay`
            reads them.
        under: Key -> value of the run that it starts from, where the table says nothing.

    Raises:
        BadRecipe: Unknown keys or values of the wrong type in the table.
        UsageError: The same in the flags.
    """
    from_file = {key: listed(key, value) for key, value in {**(under or {}), **table}.items()}
    _check(from_file, f"recipe {name!r}", BadRecipe)
    defaults = {key: each.get_default() for key, each in Recipe.model_fields.items()}
    optional = {key for key, default in defaults.items() if default is None}
    overlay = Overlay.of(flags, {**defaults, **from_file}, optional)
    if any(unit in overlay.values for unit in UNITS):
        # A budget given by hand replaces the recipe's, whichever unit that was in.
        from_file = {k: v for k, v in from_file.items() if k not in UNITS}
    _check(overlay.values, "", UsageError)
    if "phase" in from_file:
        from_file["phase"] = {
            phase: _by_hand(own, overlay) for phase, own in from_file["phase"].items()
        }
    if "penalty" in overlay.values and PENALISED in from_file.get("phase", {}):
        phases = from_file["phase"]
        own = {key: value for key, value in phases[PENALISED].items() if key != "penalty"}
        from_file["phase"] = {**phases, PENALISED: own}
    values = {**from_file, **overlay.values}
    if isinstance(given := flags.get("phase"), Mapping):
        # Over what is left of the recipe's phases under what is asked for by hand.
        values["phase"] = over(from_file.get("phase", {}), given)
    recipe = Recipe.model_validate(values)
    if all(getattr(recipe, unit) is None for unit in UNITS):
        raise UsageError(f"recipe {name!r} has no budget; add --steps 1000 or --minutes 5")
    origins = dict.fromkeys(Recipe.model_fields, "default")
    origins |= dict.fromkeys(from_file, f"recipe {name}")
    origins |= {key: f"{recipe.init}" for key in under or {} if key not in table}
    origins |= overlay.origins
    return Resolved(name, recipe, origins)


def _by_hand(phase: Mapping[str, Any], overlay: Overlay) -> dict[str, Any]:
    """Return a phase of a recipe under what is asked for by hand, which holds for every phase."""
    own = dict(phase)
    for key in ("optimizer", "schedule", "decay"):
        if key not in own or key not in overlay.values:
            continue
        if key in overlay.options:
            own[key] = laid(own[key], overlay.options[key])
        else:
            del own[key]
    return own


def _check(table: Mapping[str, Any], owner: str, kind: type[UsageError]) -> None:
    """Refuse a table with a fault; without an owner it is what was typed."""
    try:
        Recipe.model_validate(dict(table))
    except ValidationError as error:
        fault = first_fault(error)
        key = fault.key
        if fault.kind == "extra_forbidden":
            hint = did_you_mean(key, Recipe.model_fields)
            keys = ", ".join(Recipe.model_fields)
            raise kind(f"{owner or 'a recipe'} has no key {key!r}; {hint}keys are {keys}") from None
        head = f"{owner}: {key}" if owner else f"--{key}"
        raise kind(f"{head} {fault}; {_instead(fault, typed=not owner)}") from None


def _instead(fault: Fault, *, typed: bool) -> str:
    """Return what to write for a key: what was meant, or else an example."""
    key = fault.key
    known = Recipe.model_fields.get(key)
    if known is None:
        return "see: gentk run --help"
    example = (known.examples or [known.get_default()])[0]
    if not isinstance(example, (str, int, float)):
        return "see: gentk run --help"
    if key not in UNITS and known.get_default() is None and str(fault.value).lower() in NOTHING:
        return f"for none type --{key} none" if typed else f"for none leave {key} out"
    several = several_meant(fault.value)
    one = next((each for each in _meant(key, fault.value) if _fits(key, each)), example)
    text = f"type --{key} {one}" if typed else f"write {key} = {json.dumps(one)}"
    if not several or not typed or key in UNITS:
        return text
    if key == "seed":
        return _seeds(several)
    over = " ".join(f"--over {key}={each}" for each in several)
    return f"{text}, or for several gentk sweep {over}"


def _meant(key: str, value: object) -> Iterator[str | int]:
    """Yield what a value of a key may be meant to be."""
    if key == "minutes" and (minutes := minutes_meant(value)) is not None:
        yield minutes
    if (number := whole_meant(value)) is not None:
        yield number
    text = str(value).lower()
    choices = [
        each for each in get_args(Recipe.model_fields[key].annotation) if isinstance(each, str)
    ]
    yield from (each for each in choices if each.startswith(text) or text.startswith(each))


def _fits(key: str, value: object) -> bool:
    """Whether a key may have a value."""
    try:
        Recipe.model_validate({key: value})
    except ValidationError:
        return False
    return True


def _seeds(several: Sequence[str]) -> str:
    """Return how to make runs of several seeds: those that follow each other are one command's."""
    numbers = [int(each) for each in several if each.isdecimal()]
    first = numbers[0] if numbers else 0
    if numbers != list(range(first, first + len(several))):
        return f"type a command for each, the first with --seed {first}"
    begin = f"--seed {first} " if first else ""
    return f"for several type {begin}--seeds {len(numbers)}"
