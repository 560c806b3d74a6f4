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

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
)

from ..budget import UNITS
from ..errors import UsageError, did_you_mean
from ..evaluation.subjects import SANITY
from ..recipe import Recipe
from ..seed import SEEDS
from ..selection import Selection
from ..toml import BadToml, read_toml
from .trial import Flags

__all__ = [
    "ClaimTable",
    "JudgeTable",
    "RowTable",
    "SweepFile",
    "TriesTable",
    "read_file",
]

OWN = frozenset({"seed", "out", "summary"})
"""Keys of a recipe that a sweep sets itself, or that say nothing of a run."""

MANY = 10
"""Seeds that are not written out one by one in a sentence."""

KEYS = ("recipe", *(key for key in Recipe.model_fields if key not in OWN))
"""Keys that rows, `[run]`, stages and settings may hold."""


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


def _keys(table: Any) -> Any:
    """Refuse keys that no recipe has."""
    if isinstance(table, dict):
        for key in table:
            if key not in KEYS:
                raise ValueError(_no_key(key, KEYS))
    return table


def _one_seed(value: Any) -> Any:
    """Refuse a number alone: as `--seeds` reads it, so many seeds, or that one."""
    if type(value) is not int:
        return value
    numbers = ", ".join(map(str, range(value) if value < MANY else (0, 1, "...", value - 1)))
    several = f"[{numbers}] for {value} seeds, or " if value > 1 else ""
    raise ValueError(f"the number {value} as seeds; write {several}[{value}] for the seed {value}")


def _once(seeds: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse a seed that is there twice."""
    twice = next((seed for seed in seeds if seeds.count(seed) > 1), None)
    if twice is not None:
        raise ValueError(f"the seed {twice} twice; write it once")
    return seeds


Seed = Annotated[int, Field(ge=SEEDS.start, lt=SEEDS.stop)]
Seeds = Annotated[
    tuple[Seed, ...], Field(min_length=1), BeforeValidator(_one_seed), AfterValidator(_once)
]
Keys = Annotated[dict[str, JsonValue], BeforeValidator(_keys)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_list)]
Published = str | int | float


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JudgeTable(_Table):
    """How rows are judged: a column for each of its values in each extractor."""

    data: str | None = None
    metric: str = "fd"
    extractors: Texts = ()
    values: Texts = ()
    count: int = Field(5000, ge=2)
    seed: Seed = 0
    percent: bool = False


class TriesTable(_Table):
    """How candidate settings are judged; `settings` are those of every row that names none."""

    data: str | None = None
    steps: int | None = Field(default=None, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    operations: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    seeds: Seeds = (0,)
    settings: tuple[Keys, ...] = ()


class ClaimTable(_Table):
    """That one row is better than another, in a column."""

    says: str
    better: str
    worse: str
    judge: int = Field(0, ge=0)


class RowTable(BaseModel):
    """A row of the page: a recipe with its seeds, images or features judged as they are, or a quotation.

    Quoted is the row of that name of another sweep file (`quotes`), or what a publication says of
    something that is not run (`cited`).
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(min_length=1)
    group: str | None = None
    quotes: str | None = None
    cited: str | None = None
    published: Published | dict[str, Published] | None = None
    seeds: Seeds | None = None
    alone: bool = False
    subject: str | None = None
    floor: Literal[SANITY] | None = None  # type: ignore[valid-type]
    features: str | None = None
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
    stage: dict[str, Keys] = {}
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


def read_file(path: Path) -> SweepFile:
    """Read and check a sweep file.

    Raises:
        UsageError: It cannot be read, or something in it is wrong: the sentence names the key.
    """
    try:
        table = read_toml(path)
        file = SweepFile.model_validate(table)
    except BadToml as error:
        raise UsageError(f"{path} {error}") from None
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{path} cannot be read ({reason}); type: gentk sweep FILE.toml") from None
    except ValidationError as error:
        raise UsageError(f"{path}: {_sentence(error, table)}") from None
    fault = _fault(file)
    if fault is not None:
        raise UsageError(f"{path}: {fault}")
    return file


MODELS: dict[str, type[BaseModel]] = {
    "judge": JudgeTable,
    "tries": TriesTable,
    "claim": ClaimTable,
    "row": RowTable,
}


def _sentence(error: ValidationError, table: dict[str, Any]) -> str:
    """Say which key is wrong, and what to write."""
    # A key that is mistyped is missing too: what stands there says more.
    fault = min(error.errors(), key=lambda one: one["type"] == "missing")
    loc = [part for part in fault["loc"] if not _is_branch(part)]
    *head, key = loc
    place = _place(head, table)
    if fault["type"] == "extra_forbidden":
        model = MODELS.get(str(head[0]), SweepFile) if head else SweepFile
        return f"{place} has {_no_key(str(key), model.model_fields)}"
    if fault["type"] == "missing":
        kind = f"a table [{key}]" if key in ("judge", "row") and not head else f'{key} = "..."'
        return f"{place} has no {key!r}; write {kind}"
    if fault["type"] == "value_error":
        return f"{_place(loc, table)} has {fault['ctx']['error']}"
    wanted = fault["msg"][:1].lower() + fault["msg"][1:]
    return f"{place}: {key} = {str(fault['input'])[:60]!r} is wrong, {wanted}"


def _is_branch(part: str | int) -> bool:
    """Say whether a part of a place is pydantic's name of one type of several."""
    return isinstance(part, str) and (part in ("str", "int", "float") or "[" in part)


def _place(loc: list[str | int], table: dict[str, Any]) -> str:
    """Write where something stands: `[[row]] 'ama'`, `[stage.ae]`."""
    if not loc:
        return "the file"
    head = str(loc[0])
    if head in ("row", "claim", "judge") and len(loc) > 1 and isinstance(loc[1], int):
        listed = table[head] if isinstance(table[head], list) else [table[head]]
        one = listed[loc[1]] if loc[1] < len(listed) else {}
        name = one.get("name", one.get("says")) if isinstance(one, dict) else None
        where = f"[[{head}]] {name!r}" if name else f"[[{head}]] number {loc[1] + 1}"
        return where + "".join(f", {part}" for part in loc[2:])
    return f"[{'.'.join(str(part) for part in loc)}]"


def _no_key(key: str, known: Any) -> str:
    keys = list(known)
    return f"a key {key!r} that there is not; {did_you_mean(key, keys)}keys are {', '.join(keys)}"


def _fault(file: SweepFile) -> str | None:
    """Return what is wrong between the tables of a file, if anything is."""
    names = [row.name for row in file.row]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return f"two [[row]] are called {twice!r}; write another name for one of them"
    for row in file.row:
        fault = _row_fault(file, row)
        if fault is not None:
            return f"[[row]] {row.name!r} {fault}"
    shown = [name for judge in file.judge for name in _shown(judge)]
    cited = [row.name for row in file.row if row.cited is not None]
    for claim in file.claim:
        for side in (claim.better, claim.worse):
            if side in cited:
                return (
                    f"[[claim]] {claim.says!r}: {side!r} is cited and was not measured here; name a row "
                    "that is run"
                )
            if side not in names:
                hint = did_you_mean(side, names)
                return (
                    f"[[claim]] {claim.says!r}: no row is called {side!r}; {hint}rows are {names}"
                )
        if claim.judge >= len(shown):
            return (
                f"[[claim]] {claim.says!r}: there is no column {claim.judge}; write judge = 0 to "
                f"{len(shown) - 1}"
            )
    return _judges_fault(file) or _tries_fault(file)


def _judges_fault(file: SweepFile) -> str | None:
    """Refuse judges whose values could not be told apart."""
    for number, judge in enumerate(file.judge):
        for other in file.judge[:number]:
            same = judge.metric == other.metric and (
                judge.extractors == other.extractors
                or set(judge.extractors) & set(other.extractors)
            )
            way, before = ((one.data, one.count, one.seed) for one in (judge, other))
            one_default = (judge.data is None) != (other.data is None)
            if same and (way == before or (one_default and way[1:] == before[1:])):
                what = "in the same way" if way == before else "and once without data"
                return (
                    f"two [[judge]] show {judge.metric!r} of the same features {what}; write "
                    'data = "...", count or seed that differ, or drop one of them'
                )
    return None


def _shown(judge: JudgeTable) -> list[str]:
    """Return the names of a judge's columns."""
    return [*(judge.values or (judge.metric,))] * max(len(judge.extractors), 1)


def _row_fault(file: SweepFile, row: RowTable) -> str | None:
    for key in row.keys:
        if key not in KEYS:
            return f"has {_no_key(key, [*KEYS, *RowTable.model_fields])}"
    if row.floor is not None and row.subject is None:
        return 'has a floor of nothing; write subject = "DATA" beside it'
    if row.cited is not None and row.published is None:
        return 'is cited and says nothing; write published = "..." beside it'
    for kind, what in KINDS.items():
        if getattr(row, kind) is not None:
            others = [one for one in (*KINDS, "tries", "seeds", "alone") if one != kind]
            keys = ", ".join([*row.keys, *(one for one in others if getattr(row, one))])
            if keys:
                return f"{what} and trains nothing; drop {keys}, or drop {kind}"
    if isinstance(row.published, dict):
        names = {name for judge in file.judge for name in _shown(judge)}
        for name in row.published:
            if name not in names:
                hint = did_you_mean(name, names)
                return f"has a published {name!r}, which no judge shows; {hint}write one of {names}"
    return None


def _tries_fault(file: SweepFile) -> str | None:
    """Return what makes a comparison of tuned rows unfair."""
    counts = {row.name: len(file.settings(row)) for row in file.row}
    tuned = {name: count for name, count in counts.items() if count}
    if len(set(tuned.values())) > 1:
        (least, few), *_, (most, many) = sorted(tuned.items(), key=lambda pair: pair[1])
        return (
            f"[[row]] {most!r} has {many} tries and {least!r} has {few}; give every row that is tuned "
            "the same number"
        )
    if not tuned:
        return None
    data = file.tries_data()
    if data is None:
        return '[tries] has no data, nor has [run]; write data = "..." of held-out training images'
    judged = {judge.data for judge in file.judge}
    if data in judged or Selection.parse(data).options.get("split") == "test":
        return (
            f"[tries] chooses by {data}, by which rows are judged or which are test images; write "
            "data of held-out training images, such as split=validation"
        )
    return None
