"""Declared sweeps: the trials of a sweep file, and how candidate settings are chosen among."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from ..budget import UNITS
from ..errors import BadOption, GentkError, Incompatible, UsageError, did_you_mean
from ..evaluation.measurement import Direction
from ..evaluation.plan import Plan
from ..evaluation.settled import pairs
from ..overlay import Overlay, listed
from ..recipe import Resolved
from ..registry import Registry
from ..runs.composing import check
from ..runs.resolving import resolve_recipe
from ..runs.stages import plan as stages_of
from .fairness import be_fair
from .file import JudgeTable, RowTable, SweepFile
from .quoting import Other, named, quoted
from .reading import other_file, read_file
from .row import Row
from .shown import Shown, columns_of
from .trial import Flags, Images, Sweep, Trial, mark_of, parts_of, stand_in

__all__ = ["Declared", "Tuning", "declare", "slug"]

STAGE = re.compile(r"\bstage:([\w-]+)")


@dataclass(frozen=True)
class Tuning:
    """The candidate settings of a row.

    Attributes:
        settings: What each lays over the row.
        trials: Those of each, one a seed.
        means: The mean over seeds of each by the first judge; None where there is none.
        chosen: The best, None before all have been tried.
        failed: Whether all have been tried and none has a value.
    """

    settings: tuple[Flags, ...]
    trials: list[list[Trial]]
    means: list[float | None]
    chosen: int | None
    failed: bool


@dataclass(frozen=True)
class Declared:
    """The sweep of a file.

    Attributes:
        name: The file's name without its ending.
        path: The file.
        file: What it holds.
        columns: The columns of its page.
        sweep: Its trials; rows whose settings are still to be chosen have none yet.
        tunings: Row -> its candidate settings, of rows that are tuned.
        seeds: Row -> the seeds that it is made with, or the file that it is quoted from.
    """

    name: str
    path: Path
    file: SweepFile
    columns: list[Shown]
    sweep: Sweep
    tunings: dict[str, Tuning]
    seeds: dict[str, tuple[int, ...]]

    def tries(self) -> Sweep:
        """Return the sweep of all candidate settings."""
        lists = [trials for tuning in self.tunings.values() for trials in tuning.trials]
        return replace(self.sweep, trials=[trial for trials in lists for trial in trials])


@dataclass(frozen=True)
class _Place:
    """Where and with what the runs of a file are made."""

    file: SweepFile
    out: Path
    own: Flags
    registry: Registry
    checked: bool


def declare(
    path: Path,
    registry: Registry,
    *,
    rows: Path | None = None,
    out: Path | None = None,
    own: Flags | None = None,
    checked: bool = True,
) -> Declared:
    """Return the sweep of a file. No data are opened and no weights are loaded.

    Args:
        path: The file.
        registry: Where names are looked up.
        rows: Where what came of its trials is written down; by default beside it, NAME.jsonl.
        out: The folder of its runs; runs/NAME by default.
        own: Keys of a recipe that say where runs are made, such as `threads`.
        checked: Whether to refuse whatever cannot be made here and now. For a page only what has no row
            is looked at, and only what can never be made, as its parts do not fit, is refused.

    Raises:
        UsageError: Something in the file is wrong.
        GentkError: A judge is none.
    """
    return _declared(path, registry, rows, out, own or {}, checked, ())


def _declared(
    path: Path,
    registry: Registry,
    rows: Path | None,
    out: Path | None,
    own: Flags,
    checked: bool,
    asking: tuple[Path, ...],
) -> Declared:
    """Declare a file that others, if any, quote."""
    file = read_file(path)
    asking = (*asking, path.resolve())
    others = {}
    for text in dict.fromkeys([*file.rows, *(row.quotes for row in file.row if row.quotes)]):
        other = other_file(path, text)
        if other.resolve() in asking:
            raise UsageError(f"{path} quotes {text!r} in a circle; drop it from one of the files")
        others[text] = _declared(other, registry, None, None, {}, False, asking)
    seeds = {row.name: _seeds(row, file, others) for row in file.row}
    sources = {
        text: Other(one.path, one.sweep.rows, one.sweep.trials, one.tries().trials)
        for text, one in others.items()
    }
    made_there = [sources[text] for text in file.rows]
    place = _Place(file, out or Path("runs") / path.stem, own, registry, checked)
    judges = [(judge, _extractors(judge, registry)) for judge in file.judge]
    plans = _plans(judges)
    if checked:
        for plan in plans:
            plan.of_run(Path("FOLDER")).check(registry)
    columns = columns_of(judges)
    sweep = Sweep([], rows or path.with_suffix(".jsonl"), place.out)
    tunings = {
        row.name: _tuning(row, _try_plan(judges[0], file), columns[0], place, sweep, made_there)
        for row in file.row
        if file.settings(row)
    }
    trials: list[Trial] = []
    known: dict[str, str] = {}
    for seed in dict.fromkeys(seed for own in seeds.values() for seed in own):
        for row in (row for row in file.row if seed in seeds[row.name]):
            tuning = tunings.get(row.name)
            if row.quotes is not None:
                theirs = named(row.name, sources[row.quotes])
                trials += [_unlike(trial, known) for trial in theirs if trial.seed == seed]
            elif tuning is None or tuning.chosen is not None or tuning.failed:
                trial = quoted(_trial(row, seed, plans, tuning, place), made_there)
                # The best of a row's settings may be those of another row: then they share its runs.
                trials.append(trial if tuning is not None else _unlike(trial, known))
    sweep = replace(sweep, trials=trials)
    sweep = replace(sweep, trials=_fitting(trials, {} if checked else sweep.settled(), place))
    return Declared(path.stem, path, file, columns, sweep, tunings, seeds)


def _seeds(row: RowTable, file: SweepFile, others: Mapping[str, Declared]) -> tuple[int, ...]:
    """Return the seeds of a row; what is judged as it is has one, what is cited has none."""
    if row.quotes is not None:
        theirs = others[row.quotes].seeds
        if row.name not in theirs:
            raise UsageError(
                f"[[row]] {row.name!r} is no row of {row.quotes}; {did_you_mean(row.name, theirs)}its "
                f"rows are {', '.join(theirs)}"
            )
        return theirs[row.name]
    if row.cited is not None:
        return ()
    return row.seeds or file.seeds if row.is_run else file.seeds[:1]


def _unlike(trial: Trial, known: dict[str, str]) -> Trial:
    """Refuse a trial that is one of another row; `known` learns its key."""
    twin = known.setdefault(trial.key, trial.name) if trial.refused is None else trial.name
    if twin == trial.name:
        return trial
    reason = f"it is the row {twin!r} under another name; drop one of the two"
    return replace(trial, refused=reason)


def _extractors(judge: JudgeTable, registry: Registry) -> tuple[str, ...]:
    """Return the extractors of a judge: those it names, or its metric's own."""
    if judge.extractors:
        return judge.extractors
    plan = Plan(judge.data, (judge.metric,), (), judge.count)
    return tuple(extractor for _, extractor in pairs(plan, registry))


def _plans(judges: list[tuple[JudgeTable, tuple[str, ...]]]) -> tuple[Plan, ...]:
    """Return how trials are judged; judges that look at the same features share a plan."""
    plans: dict[tuple[object, ...], Plan] = {}
    for judge, extractors in judges:
        key = (judge.data, extractors, judge.count, judge.seed)
        before = plans.get(key) or Plan(judge.data, (), extractors, judge.count, judge.seed)
        plans[key] = replace(
            before,
            metrics=tuple(dict.fromkeys([*before.metrics, judge.metric])),
            ratio=before.ratio or "fdr" in judge.values,
        )
    return tuple(plans.values())


def _try_plan(judge: tuple[JudgeTable, tuple[str, ...]], file: SweepFile) -> Plan:
    """Return how candidate settings are judged: by the first judge, on other images."""
    table, extractors = judge
    return Plan(file.tries_data(), (table.metric,), extractors[:1], table.count, table.seed)


def _tuning(
    row: RowTable, plan: Plan, column: Shown, place: _Place, sweep: Sweep, others: list[Other]
) -> Tuning:
    """Return a row's candidate settings, and which is best if all have been tried."""
    file, settings = place.file, place.file.settings(row)
    trials = []
    for number, setting in enumerate(settings, 1):
        words = " ".join(f"{key}={value}" for key, value in setting.items())
        more = {**setting, **file.budget()}
        named = row.model_copy(update={"name": f"{row.name}: try {number}, {words}"})
        tried = [_trial(named, seed, (plan,), None, place, more) for seed in file.tries.seeds]
        trials.append([replace(quoted(trial, others), tries=row.name) for trial in tried])
    be_fair(row.name, plan, trials)
    settled = replace(sweep, trials=[t for tried in trials for t in tried]).settled()
    trials = [_fitting(tried, settled, place) for tried in trials]
    # What failed for a reason that may pass is tried again before anything is chosen.
    done = all(
        t.refused is not None or (t in settled and settled[t].is_final)
        for tried in trials
        for t in tried
    )
    means: list[float | None] = []
    direction: Direction = "lower"
    for tried in trials:
        rows = [settled[trial].measurements for trial in tried if trial in settled]
        measurements = [m for m in map(column.of, rows) if m is not None]
        direction = measurements[0].direction if measurements else direction
        mean = statistics.fmean(m.value for m in measurements) if measurements else math.nan
        whole = len(measurements) == len(tried) and math.isfinite(mean)
        means.append(mean if whole else None)
    known = {mean: index for index, mean in reversed(list(enumerate(means))) if mean is not None}
    chosen = None
    if done and known:
        chosen = known[max(known) if direction == "higher" else min(known)]
    return Tuning(settings, trials, means, chosen, done and not known)


def _trial(
    row: RowTable,
    seed: int,
    plans: tuple[Plan, ...],
    tuning: Tuning | None,
    place: _Place,
    more: Flags | None = None,
) -> Trial:
    """Return a row's trial of one seed."""
    file = place.file
    if row.subject is not None:
        images = Images(row.subject, row.floor)
        return Trial(row.name, seed, plans, ("images", row.subject, row.floor), given=images)
    if row.features is not None:
        return stand_in(row.name, seed, plans, row.features, place.registry)
    if tuning is not None and tuning.failed:
        why = [trial.refused for tried in tuning.trials for trial in tried if trial.refused]
        reason = f"none of its tries has a value{f': {why[0]}' if why else ''}"
        return Trial(row.name, seed, plans, refused=reason)
    shared = {k: v for k, v in file.run.items() if not row.alone or k == "data"}
    best = tuning.settings[tuning.chosen] if tuning and tuning.chosen is not None else {}
    flags: dict[str, JsonValue] = {**shared, **row.keys}
    name = None
    try:
        flags = _over(_over(shared, row.keys), {**best, **(more or {})})
        recipe = flags.pop("recipe", None)
        name = None if recipe is None else str(recipe)
        stages = _stages(flags, place)
        where: dict[str, JsonValue] = {**place.own, "seed": seed}
        located = {**_located(flags, stages), **where}
        resolved = resolve_recipe(name, located, registry=place.registry)
        resolved = _placed(resolved, place.out, slug(row.name)[:60])
        if place.checked:
            _check(resolved, stages.values(), place.registry)
        parts = parts_of(resolved, place.registry, stages)
    except GentkError as error:
        return Trial(row.name, seed, plans, recipe=name, flags=flags, refused=str(error))
    return Trial(row.name, seed, plans, parts, name, flags, resolved, tuple(stages.values()))


def _check(resolved: Resolved, stages: Iterable[Resolved], registry: Registry) -> None:
    """Refuse a run whose parts, or those of the runs made before it, do not fit together."""
    own = [stage for _, stage in stages_of(resolved, registry)]
    for part in (*stages, *own, resolved):
        check(part, registry)


def _fitting(trials: list[Trial], settled: Mapping[Trial, Row], place: _Place) -> list[Trial]:
    """Return trials of which those are refused that can never be made.

    Of a trial with a row that is not asked: it has been made. Nor does a page refuse what is only
    missing here, such as a plugin or a device.
    """
    if place.checked:
        return trials

    def fitted(trial: Trial) -> Trial:
        if trial.resolved is None or trial.refused is not None or trial in settled:
            return trial
        try:
            _check(trial.resolved, trial.stages, place.registry)
        except (BadOption, Incompatible) as error:
            return replace(trial, refused=str(error))
        except GentkError:
            pass
        return trial

    return [fitted(trial) for trial in trials]


def _over(flags: Flags, more: Flags) -> dict[str, JsonValue]:
    """Lay keys over others as flags lie over a recipe (`gentk.overlay`).

    A budget replaces the other's, whichever unit either is in.
    """
    kept = {k: v for k, v in flags.items() if k not in UNITS or not more.keys() & set(UNITS)}
    laid = Overlay.of(more, {k: listed(k, v) for k, v in kept.items()}).values
    return {**kept, **{k: list(v) if isinstance(v, tuple) else v for k, v in laid.items()}}


def _stages(flags: Flags, place: _Place, asking: tuple[str, ...] = ()) -> dict[str, Resolved]:
    """Return the file's stages that a run stands on, in order, each after those it stands on."""
    stages: dict[str, Resolved] = {}
    for name in STAGE.findall(str(list(flags.values()))):
        if name not in place.file.stage:
            continue
        shared = {k: v for k, v in place.file.run.items() if k in ("data", "dtype")}
        keys: dict[str, JsonValue] = {**shared, **place.file.stage[name]}
        if name in asking:
            raise UsageError(f"[stage.{name}] stands on itself; name another stage there")
        recipe = keys.pop("recipe", None)
        stages |= _stages(keys, place, (*asking, name))
        located = {**_located(keys, stages), **place.own}
        text = None if recipe is None else str(recipe)
        resolved = resolve_recipe(text, located, registry=place.registry)
        stages[name] = _placed(resolved, place.out / "stages", name)
    return stages


def _placed(resolved: Resolved, folder: Path, name: str) -> Resolved:
    """Give a run a folder of its own: with other settings or budget, a row of its name has another."""
    out = str(folder / f"{name}-{mark_of(resolved.recipe)}")
    return replace(resolved, recipe=resolved.recipe.model_copy(update={"out": out}))


def _located(flags: Flags, stages: Mapping[str, Resolved]) -> dict[str, JsonValue]:
    """Write stages as the runs they stand for, wherever they stand."""

    def located(value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            return STAGE.sub(one, value)
        return [located(item) for item in value] if isinstance(value, list) else value

    def one(match: re.Match[str]) -> str:
        known = stages.get(match[1])
        return match[0] if known is None else f"run:{known.folder()}"

    return {key: located(value) for key, value in flags.items()}


def slug(name: str) -> str:
    """Return a row's name as files are called by it; others may have the same, and it may be long."""
    return "-".join(re.findall(r"\w+", name)) or "row"
