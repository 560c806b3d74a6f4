"""Composition: a resolved recipe becomes parts that fit together.

Names and fit are checked before anything is loaded: first every name, then loss against estimator, then
the data, and weights last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast, get_type_hints

import torch

from ..data.imageset import ImageSet
from ..data.open import open_images
from ..data.view import View
from ..engine import randomness
from ..errors import GentkError, Incompatible, UsageError
from ..feature_space import FeatureSpace
from ..interfaces import Estimator, Extractor, Generator, ImageShape, MatchingLoss, Source
from ..library import Library
from ..options import Option, convert
from ..recipe import Recipe, Resolved, resolve
from ..registry import Registry
from ..selection import Selection
from .device import choose_device, set_threads
from .folder import RunFolder
from .optimizers import build_optimizer, check_change

__all__ = [
    "Composition",
    "check",
    "compose",
    "damaged",
    "data_options",
    "extractor_space",
    "open_data",
    "resolve_recipe",
]

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Composition:
    """The parts of a run, built and fitting.

    Attributes:
        resolved: The recipe they were built from, its name, and the origin of each value.
        registry: Where their names were looked up.
        images: The data.
        generator: G, on `device`.
        space: phi, on `device`.
        loss: D.
        estimator: M, not yet started.
        device: Where the run computes.
    """

    resolved: Resolved
    registry: Registry
    images: ImageSet
    generator: Generator
    space: FeatureSpace
    loss: MatchingLoss
    estimator: Estimator
    device: torch.device

    @property
    def recipe(self) -> Recipe:
        """The recipe."""
        return self.resolved.recipe

    def folder(self) -> Path:
        """Return where the run goes: `out`, or runs/RECIPE-HASH8."""
        return self.resolved.folder()


def resolve_recipe(
    recipe: str | None = None, flags: Mapping[str, Any] | None = None, *, registry: Registry
) -> Resolved:
    """Find a recipe by name or path (`quickstart` without one) and lay flags over it."""
    name, table = Library(registry.modules).read(recipe or "quickstart")
    return resolve(name, table, flags or {})


def compose(
    recipe: str | None = None,
    *,
    registry: Registry | None = None,
    notice: Notice = lambda message: None,
    **flags: Any,
) -> Composition:
    """Check a recipe and build its parts.

    Args:
        recipe: Name of a recipe, or path of a TOML file; `quickstart` by default.
        registry: Where names are looked up; by default everything installed.
        notice: Called with sentences people should read.
        flags: Any key of `gentk.recipe.Recipe`, over the recipe's value.

    Raises:
        GentkError: Anything unknown, ill-typed, missing or unfit, in one sentence.
    """
    registry = registry or Registry()
    resolved = resolve_recipe(recipe, flags, registry=registry)
    return build(resolved, registry, notice)


def build(resolved: Resolved, registry: Registry, notice: Notice) -> Composition:
    """Build a resolved recipe's parts."""
    r = resolved.recipe
    loss, estimator = check(r, registry)
    set_threads(r.threads)
    device = choose_device(r.device)
    images = open_data(r.data, registry, notice)
    # Reseeded per part: which weights a generator starts from depends on the seed alone.
    with randomness.lent(device, seed=randomness.derive(r.seed, "generator")):
        generator = cast(Generator, registry.build("generator", r.generator, image=images.shape)[0])
    space = extractor_space(r.extractor, registry, images.shape, device, notice)
    space.dtype = getattr(torch, r.dtype)
    generator.to(device).to(memory_format=torch.channels_last)
    return Composition(resolved, registry, images, generator, space, loss, estimator, device)


def check(r: Recipe, registry: Registry) -> tuple[MatchingLoss, Estimator]:
    """Refuse names, options and pairs that do not exist or fit; reads no data, loads no weights.

    Returns:
        The loss and the estimator, which need neither.
    """
    parts = [
        ("data", r.data),
        *(("extractor", text) for text in r.extractor),
        ("generator", r.generator),
        ("loss", r.loss),
        ("estimator", r.estimator),
        *(("observer", text) for text in r.observer),
    ]
    # All names first: nothing is imported for a request that cannot be met.
    selections = [(kind, registry.check(kind, text)) for kind, text in parts]
    for kind, selection in selections:
        options = registry.options(registry.find(kind, selection.name))
        shared = data_options() if kind == "data" else []
        values = convert(selection.options, [*shared, *options], f"{kind} {selection.name!r}")
        if kind == "data":
            View(**{o.name: values[o.name] for o in shared if o.name in values})
    for name in r.phase:
        if name != "generator":
            raise Incompatible(
                f"there is no phase {name!r} in a matching run; write [phase.generator]"
            )
    build_optimizer(optimizer_of(r), [])
    own = r.phase.get("generator")
    for change in (*r.schedule, *(own.schedule or () if own else ())):
        check_change(optimizer_of(r), change.set)
    _check_runs(r)
    return _matching(r, registry)


def optimizer_of(r: Recipe) -> str:
    """Return the optimiser of the generator's phase."""
    own = r.phase.get("generator")
    return own.optimizer if own and own.optimizer else r.optimizer


def _matching(r: Recipe, registry: Registry) -> tuple[MatchingLoss, Estimator]:
    """Build loss and estimator and refuse a pair that does not fit."""
    loss = registry.build("loss", r.loss)[0]
    if not isinstance(loss, MatchingLoss):
        raise Incompatible(
            f"loss {r.loss!r} is not a matching loss, and only those can be run so far; "
            "type --loss moments"
        )
    estimator = cast(Estimator, registry.build("estimator", r.estimator)[0])
    for name, kind in loss.kinds().items():
        if kind not in estimator.accepts:
            fitting = _fitting(kind, registry)
            raise Incompatible(
                f"estimator {r.estimator!r} cannot track the statistic {name!r} ({kind}) of loss "
                f"{r.loss!r}; type --estimator {' or '.join(fitting)}"
            )
    return loss, estimator


def _fitting(kind: str, registry: Registry) -> list[str]:
    """Return the estimators that accept a kind of statistic."""
    names = []
    for provided in registry.select("estimator"):
        try:
            accepts: frozenset[str] = getattr(registry.target(provided), "accepts", frozenset())
        except GentkError:
            continue
        if kind in accepts:
            names.append(provided.component.name)
    return names


def data_options() -> list[Option]:
    """Return the options that all data take."""
    hints = get_type_hints(View)
    return [Option(f.name, hints[f.name], f.default) for f in fields(View)]


def open_data(text: str, registry: Registry, notice: Notice = lambda message: None) -> ImageSet:
    """Open images by name, telling of those that were skipped."""
    source, view = registry.build("data", text, shared=data_options())
    images = open_images(cast(Source, source), str(Selection.parse(text)), View(**view))
    message = damaged(images, text)
    if message:
        notice(message)
    return images


def damaged(images: ImageSet, text: str) -> str | None:
    """Return what to say of damaged images, or None; run.json lists them all."""
    if not images.skipped:
        return None
    names = ", ".join(images.skipped[:3]) + (", ..." if len(images.skipped) > 3 else "")
    return (
        f"{len(images.skipped)} damaged images of {text} are skipped ({names}); "
        "add strict=true to refuse them"
    )


def extractor_space(
    texts: tuple[str, ...],
    registry: Registry,
    image: ImageShape,
    device: torch.device,
    notice: Notice = lambda message: None,
) -> FeatureSpace:
    """Build extractors and put them side by side, on `device`."""
    extractors: dict[str, Extractor] = {}
    for text in texts:
        selection = Selection.parse(text)
        head = str(Selection(selection.name, selection.argument))
        same = sum(name.partition("#")[0] == head for name in extractors)
        # Random weights (weights=none) are the same in every run, so that runs can be compared.
        with randomness.lent(torch.device("cpu"), seed=0):
            extractor = registry.build("extractor", text)[0]
        extractors[head if not same else f"{head}#{same + 1}"] = cast(Extractor, extractor)
    space = FeatureSpace(extractors, image.channels).to(device)
    space.to(memory_format=torch.channels_last)
    for name in space.repeated(image.channels):
        notice(f"the images are greyscale; they are repeated to colour for {name}")
    return space


def _check_runs(r: Recipe) -> None:
    """Refuse what is not the folder of a run."""
    for key, text in (("init", r.init), ("codec", r.codec)):
        if text is not None and not text.startswith("run:"):
            raise UsageError(f"{key} {text!r} is not a run; write --{key} run:FOLDER")
    if r.codec is not None:
        record = RunFolder(Path(r.codec.removeprefix("run:"))).read()
        raise Incompatible(
            f"the run {r.codec!r} (recipe {record['recipe_name']!r}) has no encoder and decoder, so "
            "it cannot be a codec; leave --codec away"
        )
