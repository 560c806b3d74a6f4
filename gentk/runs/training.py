"""Training: a composition becomes a run in a folder, new or resumed."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib import metadata
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
from ..events import Noticed, Progress, RunEnded, RunFailed, RunStarted
from ..interfaces import Observer
from ..recipe import Recipe, Resolved
from ..registry import Registry
from ..statistics import summarise_images
from .composition import Composition, build, damaged, optimizer_of, resolve_recipe
from .device import keep_memory
from .folder import RunFolder
from .optimizers import build_optimizer
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
    if record is None or not record.get("result") or _spent(record["result"], r) < 1:
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
        _same_inputs(record or {}, c)
    else:
        warm_start(c)
    keep_memory(c.device)
    objective = _objective(c, advance)
    folder.write({**_record(c), "result": None})
    loop = _loop(c, objective, optimizer, folder, watching)
    torch.manual_seed(randomness.derive(r.seed, "training"))
    if folder.checkpoints.steps():
        loop.load_state_dict(folder.checkpoints.load())
    told = [*(notices or []), *_damaged(c, notices or []), *_stretched(r, record, loop.progress)]
    _start(loop, c, folder, told)
    try:
        progress = loop.run()
    except BaseException as error:
        loop.tell(RunFailed(loop.progress, error))
        raise
    result = _result(progress, loop.last)
    folder.write({**_record(c), "result": result})
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


def _spent(result: dict[str, Any], r: Recipe) -> float:
    """Return the share of the (possibly raised) budget that a finished run has used."""
    budget = Budget(r.steps, r.minutes * 60 if r.minutes else None)
    return budget.fraction(result["steps"], result["seconds"])


def _same_inputs(record: dict[str, Any], c: Composition) -> None:
    """Refuse to go on with other data or weights under the same names."""
    then = {"data": record["data"]["fingerprint"], "weights": record["extractor"]["fingerprint"]}
    now = {"data": c.images.fingerprint(), "weights": c.space.fingerprint()}
    for what, name in (("data", c.recipe.data), ("weights", " and ".join(c.recipe.extractor))):
        if then[what] != now[what]:
            raise RunError(
                f"{c.folder()} was trained with other {what} than {name} has now; put them back, or "
                "type another folder with --out"
            )


def _damaged(c: Composition, notices: list[str]) -> list[str]:
    """Tell of damaged images that were found only when they were decoded."""
    message = damaged(c.images, c.recipe.data)
    return [message] if message and message not in notices else []


def _stretched(r: Recipe, record: dict[str, Any] | None, progress: Progress) -> list[str]:
    """Tell that a decaying rate follows the new budget, as no uninterrupted run's would."""
    decays = r.decay != "none" or any(p.decay not in (None, "none") for p in r.phase.values())
    if record is None or not progress.steps or not decays:
        return []
    then = record["recipe"]
    if (then["steps"], then["minutes"]) == (r.steps, r.minutes):
        return []
    return [
        "the budget has changed since this run began: the learning rate now follows the new one, so "
        "the result is not that of an uninterrupted run"
    ]


def _result(progress: Progress, last: dict[str, float]) -> dict[str, Any]:
    terms = {name: value for name, value in last.items() if name.startswith("loss")}
    return {
        "steps": progress.steps,
        "images": progress.images,
        "seconds": round(progress.seconds, 3),
        **terms,
    }


def _record(c: Composition) -> dict[str, Any]:
    """Return what run.json says of a run besides its result."""
    return {
        "recipe_name": c.resolved.name,
        "identity": c.recipe.identity(),
        "recipe": c.recipe.model_dump(mode="json"),
        "data": {
            **c.images.description(),
            "fingerprint": c.images.fingerprint(),
            "damaged": list(c.images.skipped),
        },
        "extractor": {"fingerprint": c.space.fingerprint()},
        "parameters": sum(p.numel() for p in c.generator.parameters()),
        "versions": _versions(c.registry),
        "machine": {"python": platform.python_version(), "device": str(c.device)},
    }


def _versions(registry: Registry) -> dict[str, str]:
    names = sorted({"gentk", "torch", "torchvision", *(d for d, _ in registry.modules)})
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
