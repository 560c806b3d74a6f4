"""Training: a composition becomes a run in a folder, new or resumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from ..cache import Cache
from ..engine import (
    Budget,
    Loop,
    Matching,
    Phase,
    Schedule,
    WeightAverage,
    randomness,
)
from ..errors import DataError, Incompatible, RunError
from ..events import Noticed, RunEnded, RunFailed, RunStarted
from ..interfaces import Observer
from ..recipe import Resolved
from ..registry import Registry
from ..statistics import summarise_images
from .composition import Composition, build, damaged, optimizer_of, resolve_recipe
from .device import keep_memory
from .folder import RunFolder
from .optimizers import build_optimizer
from .record import describe, result_of, same_inputs, spent, stretched
from .trained import Run, generate, load

__all__ = ["run", "train"]

Advance = Callable[[str, int, int], None]

GRID = 64
"""Images in a sample grid."""


def run(
    recipe: str | None = None,
    *,
    registry: Registry | None = None,
    observers: list[Observer] | None = None,
    advance: Advance | None = None,
    **flags: Any,
) -> Run:
    """Compose a recipe and train it, going on from its last checkpoint if it has one.

    Args:
        recipe: Name of a recipe, or path of a TOML file; `quickstart` by default.
        registry: Where names are looked up; by default everything installed.
        observers: Who is told, instead of those the recipe names.
        advance: Called with what is being done before training starts, the number done, the total.
        flags: Any key of `gentk.recipe.Recipe`, over the recipe's value.

    Returns:
        The finished run.

    Raises:
        GentkError: Anything that keeps the run from starting or going on.
        KeyboardInterrupt: After Ctrl-C; a checkpoint has been written.
    """
    registry = registry or Registry()
    resolved = resolve_recipe(recipe, flags, registry=registry)
    finished = finished_run(resolved, registry)
    if finished is not None:
        return finished
    notices: list[str] = []
    composition = build(resolved, registry, notices.append)
    return train(composition, observers=observers, notices=notices, advance=advance)


def finished_run(resolved: Resolved, registry: Registry) -> Run | None:
    """Return the run of a recipe if it has been made and its budget is used up.

    Raises:
        RunError: The recipe's folder holds something else.
    """
    r = resolved.recipe
    folder = RunFolder(resolved.folder())
    record = folder.claim(r.identity())
    if record is None or not record.get("result") or spent(record["result"], r) < 1:
        return None
    return load(folder.path, registry=registry, device=r.device)


def train(
    composition: Composition,
    *,
    observers: list[Observer] | None = None,
    notices: list[str] | None = None,
    advance: Advance | None = None,
) -> Run:
    """Train a composition in its folder, going on from its last checkpoint.

    Args:
        composition: What to train.
        observers: Who is told, instead of those the recipe names.
        notices: Sentences that composing left to be told.
        advance: Called with what is being done before training starts, the number done, the total.
    """
    c, r = composition, composition.recipe
    folder = RunFolder(c.folder())
    record = folder.claim(r.identity())
    watching = _observers(c) if observers is None else observers
    optimizer = build_optimizer(optimizer_of(r), c.generator.parameters())
    if folder.checkpoints.steps():
        same_inputs(record or {}, c)
    else:
        warm_start(c)
    keep_memory(c.device)
    objective = _objective(c, advance)
    folder.write({**describe(c), "result": None})
    loop = _loop(c, objective, optimizer, folder, watching)
    torch.manual_seed(randomness.derive(r.seed, "training"))
    if folder.checkpoints.steps():
        loop.load_state_dict(folder.checkpoints.load())
    # Where images are decoded lazily, damaged ones are known only now.
    late = [damaged(c.images, r.data), stretched(r, record, loop.progress)]
    told = list(dict.fromkeys([*(notices or []), *filter(None, late)]))
    _start(loop, c, folder, told)
    try:
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
    result = result_of(progress, loop.last)
    folder.write({**describe(c), "result": result})
    loop.tell(RunEnded(progress, result))
    return load(folder.path, registry=c.registry, device=r.device)


def _objective(c: Composition, advance: Advance | None) -> Matching:
    """Summarise the data and start the estimator."""
    r = c.recipe

    def told(done: int) -> None:
        if advance is not None:
            advance("statistics of the data", done, len(c.images))

    data = summarise_images(c.images, c.space, c.loss, device=c.device, cache=Cache(), advance=told)
    objective = Matching(
        c.generator,
        c.space,
        c.loss,
        c.estimator,
        data,
        batch=r.batch,
        chunk=r.chunk,
        device=c.device,
    )
    for name, value in objective.reference.items():
        if not torch.isfinite(value).all():
            raise DataError(
                f"the {name} of the data's features is not finite; check the images, or choose other "
                "layers of the extractor"
            )
    tracked = {name: objective.reference[name] for name in c.loss.kinds()}
    with randomness.lent(c.device, seed=randomness.derive(r.seed, "estimator")):
        count = c.estimator.seeding
        seed = objective.seed_statistics(count) if count else None
        c.estimator.start(tracked, seed)
    return objective


def _loop(
    c: Composition,
    objective: Matching,
    optimizer: torch.optim.Optimizer,
    folder: RunFolder,
    observers: list[Observer],
) -> Loop:
    """Put the engine together."""
    r = c.recipe
    own = r.phase.get("generator")
    entries = own.schedule if own and own.schedule is not None else r.schedule
    decay = own.decay if own and own.decay is not None else r.decay
    schedule = Schedule(optimizer, [(entry.at, entry.set) for entry in entries], decay)
    modules: dict[str, torch.nn.Module] = {"generator": c.generator}
    phase = Phase("generator", modules, optimizer, objective, r.batch, schedule)
    average = WeightAverage(c.generator, r.ema) if r.ema else None
    with randomness.lent(c.device, seed=randomness.derive(r.seed, "grid")):
        latents = c.generator.prior.draw(GRID, c.device)

    def draw() -> Tensor:
        module = average.module if average else c.generator
        training = module.training
        module.eval()
        images = torch.cat(list(generate(module, latents)))
        module.train(training)
        return images

    return Loop(
        [phase],
        Budget(r.steps, r.minutes * 60 if r.minutes else None),
        {"generator": c.generator, "estimator": c.estimator},
        folder.checkpoints,
        observers=observers,
        draw=draw,
        average=average,
        device=c.device,
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


def warm_start(c: Composition) -> None:
    """Start the generator from another run's weights."""
    if c.recipe.init is None:
        return
    other = load(c.recipe.init.removeprefix("run:"), registry=c.registry, device="cpu")
    try:
        c.generator.load_state_dict(other.generator.state_dict())
    except RuntimeError as error:
        raise Incompatible(
            f"the weights of {c.recipe.init} ({other.recipe.generator!r}, images {other.image}) do "
            f"not fit generator {c.recipe.generator!r} for images {c.images.shape}; "
            "type the same --generator and data of the same size"
        ) from error
