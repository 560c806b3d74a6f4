"""Finishing a sweep: every trial that has no row yet is made and judged, and its row appended.

Several processes may share a sweep: a trial belongs to the process that holds its folder, and rows are
read again before each one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast

from ..budget import UNITS
from ..errors import Busy, GentkError, RunError
from ..evaluation.evaluate import evaluate
from ..evaluation.measurement import Measurement
from ..evaluation.plan import Context, Plan
from ..evaluation.settled import judge, recorded, rehearse
from ..families.base import Advance
from ..files import hold
from ..interfaces import Observer
from ..recipe import Resolved
from ..registry import Registry
from ..runs.folder import RunFolder
from ..runs.record import follows_budget
from ..runs.trained import Run
from ..runs.training import finished_run, make
from ..selection import Selection
from .edited import edited_rows, recorded_code
from .row import Row, append, commit
from .trial import Images, StandIn, Sweep, Trial, command_of

__all__ = ["Making", "finish"]


@dataclass(frozen=True)
class Making:
    """What trials are made with; none of it decides a value.

    Attributes:
        registry: Where names are looked up.
        silent: Leave out the observer that prints.
        begin: Called before each trial.
        ended: Called after each trial, once its row is there, with its run if that was judged.
        advance: Called with what is being done, the number done, the total.
        notice: Called with sentences people should read.
        rehearsed: Called with what real images were measured to be, before the first run is trained.
        command: What to type for a trial, which is kept with its row; by default the run's command.
        device: Where is judged what is no run.
        threads: CPU threads for that.
    """

    registry: Registry = field(default_factory=Registry)
    silent: bool = False
    begin: Callable[[Trial], None] = lambda trial: None
    ended: Callable[[Trial, Run | None], None] = lambda trial, run: None
    advance: Advance | None = None
    notice: Callable[[str], None] = lambda message: None
    rehearsed: Callable[[Sequence[Measurement]], None] = lambda measurements: None
    command: Callable[[Trial], str] | None = None
    device: str = "auto"
    threads: int | None = None

    def context(self, trial: Trial) -> Context:
        """Return what a trial is judged with: its recipe's device and threads."""
        device, threads = self.device, self.threads
        if trial.resolved is not None:
            device, threads = trial.resolved.recipe.device, trial.resolved.recipe.threads
        return Context(self.registry, device, threads, advance=self.advance)


def finish(sweep: Sweep, making: Making) -> None:
    """Make and judge every trial that has no row yet; one that fails has a row that says why.

    Before the first run is trained, real images are judged as the runs will be. A row is kept that was
    made by a third party's part before its code was edited, and people are told.

    Args:
        sweep: The sweep.
        making: What its trials are made with.

    Raises:
        GentkError: No run could be judged so.
    """
    for sentence in edited_rows(sweep, making.registry):
        making.notice(sentence)
    pending = _pending(sweep, sweep.trials)
    if pending and not any(_is_judged(trial, making.registry) for trial in pending):
        _rehearse(pending, making)
    if pending:
        # What cannot be written shows before hours of training.
        append(sweep.rows, [])
    busy = []
    for trial in pending:
        # Another process may have made it meanwhile.
        if not _pending(sweep, [trial]):
            continue
        making.begin(trial)
        try:
            with _owned(sweep, trial):
                if not _pending(sweep, [trial]):
                    continue
                row, run = _row(trial, making)
                append(sweep.rows, [row])
            making.ended(trial, run)
        except Busy:
            busy.append(trial)
    if busy:
        making.notice(
            f"{len(busy)} of the trials are being made by other processes, such as {busy[0].name!r}; "
            "type the same command again when they are done"
        )


def _pending(sweep: Sweep, trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that are still to be made here."""
    settled = replace(sweep, trials=list(trials)).settled()
    mine = [trial for trial in trials if trial.refused is None and trial.source is None]
    return [trial for trial in mine if trial not in settled or not settled[trial].is_final]


@contextmanager
def _owned(sweep: Sweep, trial: Trial) -> Iterator[None]:
    """Own a trial's folder, so that no other process makes it too.

    What keeps a run's folder from being used shows when the run is made, and is in its row.
    """
    folder = sweep.out / f"images-{trial.key}"
    if trial.resolved is not None:
        folder = trial.resolved.folder()
    if folder.exists() and not folder.is_dir():
        yield
        return
    with hold(folder, f"the folder {folder} of a trial", "type another folder with --out"):
        yield


def _is_judged(trial: Trial, registry: Registry) -> bool:
    """Say whether a run was made and judged elsewhere."""
    try:
        run = finished_run(trial.resolved, registry) if trial.resolved is not None else None
        if run is None or run.result is None:
            return False
        steps, folder = run.result["steps"], run.folder.path
        plans = [plan.of_run(folder) for plan in _applying(trial.plans, run)]
        return all(recorded(folder, steps, plan, registry) is not None for plan in plans)
    except GentkError:
        return False


def _rehearse(trials: Sequence[Trial], making: Making) -> None:
    """Judge the data of the runs that are to be made; refuse if that is possible for none."""
    runs = {t.resolved.recipe.data: t for t in trials if t.resolved is not None}
    errors = []
    measurements: list[Measurement] = []
    for data, trial in runs.items():
        try:
            for plan in trial.plans:
                if not plan.networks:
                    measurements += rehearse(data, plan, making.context(trial))
        except GentkError as error:
            errors.append(error)
    if errors and len(errors) == len(runs):
        raise errors[0]
    making.rehearsed(measurements)


def _row(trial: Trial, making: Making) -> tuple[Row, Run | None]:
    """Make and judge one trial, and return its row, and its run if it is one that was finished."""
    row = Row(
        trial.key, trial.name, trial.seed, datetime.now(UTC).strftime("%Y-%m-%d"), commit=commit()
    )
    given = trial.given
    if given is not None:
        row = replace(
            row,
            threads=making.threads,
            command=making.command(trial) if making.command else None,
        )
        if isinstance(given, Images):
            row = replace(row, subject=given.subject, floor=given.floor)
        else:
            row = replace(row, features=given.extractor)
    elif trial.resolved is not None and trial.flags is not None:
        flags = dict(trial.flags)
        row = replace(
            row,
            folder=str(trial.resolved.folder()),
            recipe=trial.recipe,
            flags={key: value for key, value in flags.items() if key not in ("seed", "out")},
            threads=trial.resolved.recipe.threads,
            command=making.command(trial) if making.command else command_of(trial.recipe, flags),
        )
    try:
        if given is not None:
            return replace(row, measurements=_given_judged(trial, given, making)), None
        run = _run(trial, making)
        measurements = _run_judged(trial, run, making)
        row = replace(row, code=recorded_code(trial, making.registry))
        return replace(row, result=run.result, measurements=measurements), run
    except Busy:
        raise
    except GentkError as error:
        row = replace(row, code=recorded_code(trial, making.registry))
        return replace(row, failed=str(error), kind=type(error).__name__), None


def _run(trial: Trial, making: Making) -> Run:
    """Train a trial's run after the runs it stands on."""
    assert trial.resolved is not None
    for resolved in (*trial.stages, trial.resolved):
        _refuse_other_budget(resolved)
        observers = _observers(resolved, making)
        run = make(resolved, making.registry, observers, making.advance, warn=making.notice)
    return run


def _refuse_other_budget(resolved: Resolved) -> None:
    """Refuse a folder whose run had another budget: what became of that is no value of this one.

    A run whose budget is raised goes on to what it would have become at once, unless its rate follows
    the budget.
    """
    folder, r = RunFolder(resolved.folder()), resolved.recipe
    record = folder.claim(r)
    if record is None:
        return
    before = {unit: record["recipe"].get(unit) for unit in UNITS}
    now = {unit: getattr(r, unit) for unit in UNITS}
    if before == now:
        return
    raised = _raised(before, now)
    if raised and not follows_budget(r):
        return
    budgets = [f"{unit}={value}" for unit, value in before.items() if value is not None]
    falls = ", and a rate that falls over its budget cannot go on to a larger one" if raised else ""
    raise RunError(
        f"{folder.path} holds a run of another budget ({' and '.join(budgets)}){falls}; type another "
        "folder with --out"
    )


def _raised(before: Mapping[str, float | None], now: Mapping[str, float | None]) -> bool:
    """Say whether a budget is in the units of another and in none of them smaller."""
    return all(
        (old is None and new is None) or (old is not None and new is not None and new >= old)
        for old, new in ((before[unit], now[unit]) for unit in UNITS)
    )


def _observers(resolved: Resolved, making: Making) -> list[Observer] | None:
    """Return a recipe's observers without the one that prints; None for all of them."""
    if not making.silent:
        return None
    texts = [t for t in resolved.recipe.observer if Selection.parse(t).name != "progress"]
    return [cast(Observer, making.registry.build("observer", text)[0]) for text in texts]


def _run_judged(trial: Trial, run: Run, making: Making) -> tuple[Measurement, ...]:
    """Judge a run by the plans that can: one without an encoder, or a critic, has no judge of these."""
    assert run.result is not None
    folder, context = run.folder.path, making.context(trial)
    measurements: list[Measurement] = []
    for plan in _applying(trial.plans, run):
        asked = plan.of_run(folder)
        measurements += judge(folder, run.result["steps"], asked, context).measurements
    return tuple(measurements)


def _applying(plans: Sequence[Plan], run: Run) -> list[Plan]:
    there = {name for name in ("encoder", "critic") if getattr(run, name) is not None}
    return [plan for plan in plans if plan.networks <= there]


def _given_judged(trial: Trial, given: Images | StandIn, making: Making) -> tuple[Measurement, ...]:
    if isinstance(given, Images):
        return _images_judged(trial, given, making)
    return _features_judged(trial, given, making)


def _images_judged(trial: Trial, images: Images, making: Making) -> tuple[Measurement, ...]:
    """Judge images as they are, or what the sanity row of a name makes of them."""
    measurements: list[Measurement] = []
    for plan in trial.plans:
        if plan.networks:
            continue
        asked = replace(plan, sanity=images.floor is not None, beside=False)
        evaluation = evaluate(images.subject, asked, making.context(trial))
        wanted = images.floor or images.subject
        measurements += [m for m in evaluation.measurements if m.subject == wanted]
    return tuple(measurements)


def _features_judged(trial: Trial, given: StandIn, making: Making) -> tuple[Measurement, ...]:
    """Judge an extractor's features wherever those of a run's own networks are."""
    measurements: list[Measurement] = []
    for plan in trial.plans:
        asked = plan.of_features(given.extractor, making.registry)
        if asked is None or asked.data is None:
            continue
        evaluation = evaluate(asked.data, asked, making.context(trial))
        measurements += [
            one.standing(place, given.extractor)
            for place in plan.own_extractors
            for one in evaluation.of_subject()
        ]
    return tuple(measurements)
