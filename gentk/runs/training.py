"""Training: a composition becomes a run in a folder, new or resumed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..engine import Loop, Phase, Schedule, WeightAverage, randomness
from ..engine.caller import undisturbed
from ..engine.device import keep_memory, set_threads
from ..engine.world import World, join
from ..errors import Note, RunError
from ..events import Noticed, RunEnded, RunFailed, RunStarted
from ..families.base import Advance, Program, fit_penalties
from ..families.composition import Composition
from ..families.learned import family_for
from ..files import clear
from ..interfaces import Observer
from ..recipe import Recipe, Resolved
from ..registry import Registry
from .composing import build, check, settings_of
from .cost import costs
from .edited import codes, edited
from .folder import RunFolder
from .optimizers import build_optimizer
from .record import (
    describe,
    facts_of,
    overtaken,
    result_of,
    same_inputs,
    stretched,
)
from .rehearsal import rehearse
from .resolving import resolve_recipe
from .stages import budgets, plan
from .start import same_start, warm_start
from .trained import Run, load

__all__ = ["make", "run", "train"]

Wording = Callable[[str], str]
"""How a sentence that names what to type is put."""


def run(
    recipe: str | None = None,
    *,
    registry: Registry | None = None,
    observers: list[Observer] | None = None,
    advance: Advance | None = None,
    warn: Callable[[str], None] | None = None,
    wording: Wording = str,
    **flags: Any,
) -> Run:
    """Compose a recipe and train it, going on from its last checkpoint if it has one.

    Args:
        recipe: Name of a recipe, or path of a TOML file; `gfmn` by default.
        registry: Where names are looked up; by default everything installed.
        observers: Who is told, instead of those the recipe names.
        advance: Called with what is being done before training starts, the number done, the total.
        warn: Called at once with what a run will cost, if that is much; by default it is told with
            the other notices, which come when the data have been summarised.
        wording: How sentences that observers are told are put for whoever reads them.
        flags: Any key of `gentk.recipe.Recipe`, over the recipe's value.

    Returns:
        The finished run.

    Raises:
        GentkError: Anything that keeps the run from starting or going on.
        KeyboardInterrupt: After Ctrl-C; a checkpoint has been written.
    """
    registry = Registry.of(registry)
    resolved = resolve_recipe(recipe, flags, registry=registry)
    return make(resolved, registry, observers, advance, warn=warn, wording=wording)


@undisturbed()
def make(
    resolved: Resolved,
    registry: Registry,
    observers: list[Observer] | None = None,
    advance: Advance | None = None,
    told: list[str] | None = None,
    warn: Callable[[str], None] | None = None,
    wording: Wording = str,
) -> Run:
    """Train a resolved recipe after its stages; what is finished already is only opened.

    What is `told` is said at the start of the first run that is trained, which empties the list.
    """
    world = join(resolved.recipe.device)
    done = finished_run(resolved, registry) if world.leads else None
    if done is not None:
        since = edited(done.record, resolved, registry, finished=True)
        if since is not None:
            (warn or _noted)(wording(since))
    if world.share(done is not None):
        return done or load(resolved.folder(), registry=registry, device=resolved.recipe.device)
    stages = plan(resolved, registry)
    family, _ = family_for(resolved.recipe, check(resolved, registry), registry)
    if stages or family.smallest(resolved.recipe) == 1:
        # A mistake in the last stage shows before the first one trains, and a batch norm of one sample
        # before the data are summarised; without these what is built next shows the same.
        rehearse(resolved, registry)
    with _owned(RunFolder(resolved.folder()), world):
        told = [] if told is None else told
        told += budgets(resolved, registry)
        for _, stage in stages:
            make(stage, registry, observers, advance, told, warn, wording)
        notices = list(told)
        told.clear()
        composition = build(resolved, registry, notices.append, advance)
        for cost in costs(composition):
            (warn or notices.append)(wording(cost))
        return train(
            composition, observers=observers, notices=notices, advance=advance, wording=wording
        )


def _noted(message: str) -> None:
    """Tell what no observer is there to be told."""
    warnings.warn(message, Note, stacklevel=3)


def finished_run(resolved: Resolved, registry: Registry) -> Run | None:
    """Return the run of a recipe if it has been made and its budget is used up.

    Raises:
        RunError: The recipe's folder holds something else.
    """
    r = resolved.recipe
    folder = RunFolder(resolved.folder())
    if folder.finished(r) is None:
        return None
    return load(folder.path, registry=registry, device=r.device)


@undisturbed()
def train(
    composition: Composition,
    *,
    observers: list[Observer] | None = None,
    notices: list[str] | None = None,
    advance: Advance | None = None,
    wording: Wording = str,
) -> Run:
    """Train a composition in its folder, going on from its last checkpoint.

    Args:
        composition: What to train.
        observers: Who is told, instead of those the recipe names.
        notices: Sentences that composing left to be told.
        advance: Called with what is being done before training starts, the number done, the total.
        wording: How sentences that observers are told are put for whoever reads them.
    """
    set_threads(composition.recipe.threads)
    folder = RunFolder(composition.folder())
    with _owned(folder, composition.world):
        if composition.world.leads:
            for place in (folder.path, folder.samples, folder.checkpoints.folder):
                clear(place)
        return _train(composition, folder, observers, notices or [], advance, wording)


def _train(
    c: Composition,
    folder: RunFolder,
    observers: list[Observer] | None,
    notices: list[str],
    advance: Advance | None,
    wording: Wording,
) -> Run:
    """Train in a folder that is owned."""
    r, world = c.recipe, c.world
    record = world.share(folder.claim(r) if world.leads else None)
    world.same(facts_of(c))
    watching: list[Observer] = []
    if world.leads:
        watching = _observers(c) if observers is None else observers
        for one in watching:
            one.registry = c.registry
    state = None
    if world.share(bool(folder.checkpoints.steps())):
        same_inputs(record or {}, c)
        same_start(record or {}, c)
        state = _resumed(folder, world)
        origin = (record or {}).get("init")
    else:
        origin = warm_start(c, notices)
        world.same({"start": str((origin or {}).get("fingerprint"))})
    keep_memory(c.device)
    family = family_for(r, c.losses, c.registry)[0]
    fit_penalties(family, r, c.critic, c.registry)
    program = family.program(c, advance)
    # Of a run that goes on, the code that it began with: it is told of each time.
    code = (record or {}).get("code") if state is not None else None
    about = {
        **describe(c),
        "code": codes(c.resolved, c.registry) if code is None else code,
        **({} if origin is None else {"init": origin}),
    }
    if world.leads:
        folder.write({**about, "result": None})
    loop = _loop(c, program, folder, watching)
    torch.manual_seed(randomness.derive(r.seed, "training"))
    if state is not None:
        loop.load_state_dict(state)
    since = edited(record or {}, c.resolved, c.registry, finished=False) if state else None
    late = filter(None, [stretched(r, record, loop.progress), overtaken(c.resolved), since])
    told = [c.images.summary(), *c.images.notes(), *world.notes(), *notices, *late]
    _start(loop, c, folder, list(map(wording, dict.fromkeys(told))))
    try:
        if state is None and origin is not None:
            loop.begin()
        progress = loop.run()
    except torch.OutOfMemoryError as error:
        loop.tell(RunFailed(loop.progress, error))
        raise RunError(
            f"a step does not fit the memory of {c.device}; type the command again with a smaller "
            f"--chunk than {r.chunk or r.batch}: same gradient, less memory"
        ) from error
    except BaseException as error:
        loop.tell(RunFailed(loop.progress, error))
        raise
    result = result_of(progress, loop.last, world.size, loop.budget.each)
    # Before the result is kept: killed while observers judge the end, the run goes on with that.
    loop.tell(RunEnded(progress, result))
    if world.leads:
        folder.write({**about, "result": result})
    # What rank 0 writes is there before anybody reads it.
    world.share(None)
    return load(folder.path, registry=c.registry, device=r.device)


def _owned(folder: RunFolder, world: World) -> AbstractContextManager[None]:
    """Return a context in which the first of the processes owns a folder."""
    return folder.owned() if world.leads else nullcontext()


def _resumed(folder: RunFolder, world: World) -> dict[str, Any]:
    """Return the state of the newest checkpoint that is not damaged: rank 0 says which one that is."""
    if world.leads:
        step, state = folder.checkpoints.latest(owner=True)
        world.share(step)
        return state
    return folder.checkpoints.load(world.share(0))


def _loop(c: Composition, program: Program, folder: RunFolder, observers: list[Observer]) -> Loop:
    """Put the engine together."""
    r = c.recipe
    trained = nn.ModuleDict(
        {name: m for phase in program.phases if phase.averaged for name, m in phase.modules.items()}
    )
    average = WeightAverage(trained, r.ema) if r.ema else None

    def draw() -> Tensor:
        modules = average.module if average else trained
        training = modules.training
        modules.eval()
        images = program.draw(modules)  # type: ignore[arg-type]
        modules.train(training)
        return images

    return Loop(
        [_optimised(phase, r, c.registry) for phase in program.phases],
        r.budget,
        {**program.modules, **program.state},
        folder.checkpoints,
        observers=observers,
        draw=draw,
        average=average,
        world=c.world,
        checkpoint_steps=_checkpoint_steps(observers),
        watch=program.watch,
    )


def _checkpoint_steps(observers: list[Observer]) -> int | None:
    """Return after how many steps all have the checkpoints they want."""
    wanted = [one.checkpoint_steps for one in observers if one.checkpoint_steps]
    return math.gcd(*wanted) if wanted else None


def _optimised(phase: Phase, r: Recipe, registry: Registry) -> Phase:
    """Return a phase with the optimisers, schedules, repeats and clip of a recipe."""
    optimizers = {}
    own = [name for name in phase.modules if name != phase.name and name in r.phase]
    rest = [name for name in phase.modules if name not in own]
    for key, names in {phase.name: rest, **{name: [name] for name in own}}.items():
        parameters = [p for name in names for p in phase.modules[name].parameters()]
        settings = settings_of(r, phase.name, key)
        optimizer = build_optimizer(settings.optimizer, parameters, registry)
        entries = [(entry.at, entry.set) for entry in settings.schedule]
        optimizers[key] = (optimizer, Schedule(optimizer, entries, settings.decay))
    asked = r.phase.get(phase.name)
    repeat = asked.repeat if asked and asked.repeat else phase.repeat
    return replace(
        phase,
        optimizers=optimizers,
        repeat=repeat,
        clip=r.clip,
        clamp=asked.clamp if asked else None,
    )


def _start(loop: Loop, c: Composition, folder: RunFolder, notices: list[str]) -> None:
    """Say that training starts, and what people should know first."""
    budget = loop.budget
    recipe = c.recipe.model_dump(mode="json")
    started = RunStarted(loop.progress, folder.path, recipe, budget.steps, budget.seconds)
    loop.tell(started)
    for message in notices:
        loop.tell(Noticed(loop.progress, message))


def _observers(c: Composition) -> list[Observer]:
    return [cast(Observer, c.registry.build("observer", text)[0]) for text in c.recipe.observer]
