"""Sweep files: trials, how they are judged, and what is claimed of them, in TOML.

title = "..."                what the page shows
text = "..."                 how to read it
seeds = [0, 1, 2]
pictures = ["grid"]          what is kept of the first seed, as `gentk sample --as`; [] for nothing
rows = ["other.toml"]        sweep files whose rows are quoted where they have the same trial
[run]                        keys of a recipe that all rows share (`recipe` names one to start from)
[judge]                      data, metric, extractors, count, seed, as for `gentk evaluate`; `values`:
                             which of the metric's are shown (the first); `percent` shows shares as
                             percentages. Several judges are written [[judge]]. `run` among the
                             extractors is each run's own encoder.
[stage.NAME]                 a run made once, before all rows: they write stage:NAME
[tries]                      data (the validation split of `[run]`'s), a budget, seeds and
                             `settings`: how candidate settings of rows are judged
[[row]]                      name, and keys of a recipe; or `subject`, images judged as they are, or
                             the sanity row that `floor` names (of the training images of the judge's
                             data); or `features`, an extractor that stands where judges look at a
                             run's own encoder; `published` values; `seeds`, if not
                             the file's; `alone`, to share nothing but the data; `tries`, a list of
                             candidate settings, of which the first judge's best is taken
[[claim]]                    says, and the names of the rows that are `better` and `worse` by it;
                             `judge`, the number of another column than the first (0)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
)

from ..budget import UNITS
from ..errors import did_you_mean
from ..evaluation.subjects import SANITY
from ..recipe import Recipe
from ..seed import SEEDS
from ..selection import Selection
from .trial import Flags

__all__ = [
    "KEYS",
    "KINDS",
    "ClaimTable",
    "JudgeTable",
    "RowTable",
    "SweepFile",
    "TriesTable",
    "no_key",
]

One = TypeVar("One", int, str)

OWN = frozenset({"seed", "out", "summary"})
"""Keys of a recipe that a sweep sets itself, or that say nothing of a run."""

MANY = 10
"""Seeds that are not written out one by one in a sentence."""

KEYS = ("recipe", *(key for key in Recipe.model_fields if key not in OWN))
"""Keys that rows, `[run]`, stages and settings may hold."""


def no_key(key: str, known: Iterable[str]) -> str:
    """Say that there is no such key, in words that go on after `has`."""
    keys = list(known)
    return f"a key {key!r} that there is not; {did_you_mean(key, keys)}keys are {', '.join(keys)}"


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


def _keys(table: Any) -> Any:
    """Refuse keys that no recipe has."""
    if isinstance(table, dict):
        for key in table:
            if key not in KEYS:
                raise ValueError(no_key(key, KEYS))
    return table


def _one_seed(value: Any) -> Any:
    """Refuse a number alone: as `--seeds` reads it, so many seeds, or that one."""
    if type(value) is not int:
        return value
    numbers = ", ".join(map(str, range(value) if value < MANY else (0, 1, "...", value - 1)))
    several = f"[{numbers}] for {value} seeds, or " if value > 1 else ""
    raise ValueError(f"the number {value} as seeds; write {several}[{value}] for the seed {value}")


def _once(values: tuple[One, ...]) -> tuple[One, ...]:
    """Refuse what is there twice."""
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} twice; write it once")
    return values


def _said(text: str) -> str:
    """Refuse a text that says nothing."""
    if not text.strip():
        raise ValueError("nothing in it; write a text there")
    return text


def _stage(name: str) -> str:
    """Refuse a name that `stage:NAME` could not name."""
    if re.fullmatch(r"[\w-]+", name) is None:
        raise ValueError(
            f"a name that stage:{name} does not name; write [stage.NAME] with letters, digits, _ and -"
        )
    return name


Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Seed = Annotated[Whole, Field(ge=SEEDS.start, lt=SEEDS.stop)]
Seeds = Annotated[
    tuple[Seed, ...], Field(min_length=1), BeforeValidator(_one_seed), AfterValidator(_once)
]
Keys = Annotated[dict[str, JsonValue], BeforeValidator(_keys)]
Text = Annotated[str, AfterValidator(_said)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_list), AfterValidator(_once)]
Stage = Annotated[str, AfterValidator(_stage)]
Published = str | int | float


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JudgeTable(_Table):
    """How rows are judged: a column for each of its values in each extractor."""

    data: str | None = None
    metric: str = "fd"
    extractors: Texts = ()
    values: Texts = ()
    count: Whole = Field(5000, ge=2)
    seed: Seed = 0
    percent: StrictBool = False


class TriesTable(_Table):
    """How candidate settings are judged; `settings` are those of every row that names none."""

    data: str | None = None
    steps: Annotated[Whole, Field(ge=1)] | None = None
    minutes: Number | None = None
    operations: Number | None = None
    seeds: Seeds = (0,)
    settings: tuple[Keys, ...] = ()


class ClaimTable(_Table):
    """That one row is better than another, in a column."""

    says: Text
    better: str
    worse: str
    judge: Whole = Field(0, ge=0)


class RowTable(BaseModel):
    """A row of the page: a recipe with its seeds, images or features judged as they are, or a quotation.

    Quoted is the row of that name of another sweep file (`quotes`), or what a publication says of
    something that is not run (`cited`).
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Text
    group: str | None = None
    quotes: Text | None = None
    cited: Text | None = None
    published: Published | dict[str, Published] | None = None
    seeds: Seeds | None = None
    alone: StrictBool = False
    subject: Text | None = None
    floor: Literal[SANITY] | None = None  # type: ignore[valid-type]
    features: Text | None = None
    tries: tuple[Keys, ...] | None = None

    @property
    def keys(self) -> Flags:
        """The keys of a recipe that it changes."""
        return self.model_extra or {}

    @property
    def is_run(self) -> bool:
        """Whether it is trained and judged by this file, and not judged as it is."""
        return all(getattr(self, kind) is None for kind in KINDS)


KINDS = {
    "subject": "judges images as they are",
    "features": "judges features as they are",
    "quotes": "is the row of another file",
    "cited": "is what a publication says",
}
"""Key -> what a row is that has it, and that trains nothing."""


class SweepFile(_Table):
    """What a sweep file holds."""

    title: str
    text: str = ""
    seeds: Seeds = (0,)
    pictures: tuple[Literal["grid", "interpolation", "neighbours", "reconstruction"], ...] = (
        "grid",
    )
    rows: Texts = ()
    run: Keys = {}
    judge: Annotated[tuple[JudgeTable, ...], BeforeValidator(_list), Field(min_length=1)]
    stage: dict[Stage, Keys] = {}
    tries: TriesTable = TriesTable()
    claim: tuple[ClaimTable, ...] = ()
    row: tuple[RowTable, ...] = Field(min_length=1)

    def settings(self, row: RowTable) -> tuple[Flags, ...]:
        """Return the candidate settings of a row; none if it is not tuned."""
        if not row.is_run:
            return ()
        return self.tries.settings if row.tries is None else row.tries

    def tries_data(self) -> str | None:
        """Return the images by which settings are chosen: by default the runs' own validation split."""
        if self.tries.data is not None or "data" not in self.run:
            return self.tries.data
        own = Selection.parse(str(self.run["data"]))
        options = {**own.options, "split": "validation"}
        return str(Selection(own.name, own.argument, options))

    def budget(self) -> Flags:
        """Return the budget of a try, if it is not the row's."""
        own = {unit: getattr(self.tries, unit) for unit in UNITS}
        return {key: value for key, value in own.items() if value is not None}
