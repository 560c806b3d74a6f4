"""Composing: a resolved recipe becomes parts that fit together.

Names and fit are checked before anything is loaded: first every name, then loss against estimator, then
the data, and weights last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import nn

from ..codec import Codec
from ..data.imageset import ImageSet
from ..data.view import View
from ..engine import randomness
from ..engine.caller import undisturbed
from ..engine.device import check_device, set_threads
from ..engine.world import check_chunks, join
from ..errors import Incompatible
from ..events import OBSERVED
from ..families.balance import balanced, check_balance
from ..families.base import KEYS, Advance, Family, labels_of, loss_of
from ..families.composition import Composition, LossPart
from ..families.learned import architecture, check_learned, family_for
from ..families.needs import check_needs, needs_of
from ..families.shared import SHARED, LossOptions, shared_options
from ..interfaces import Encoder, Generator, ImageShape, Loss
from ..recipe import Change, Decay, Recipe, Resolved
from ..registry import Registry
from ..selection import Selection, distinct
from .affordable import check_affordable, check_step
from .earlier import check_runs, finished
from .features import extractor_space
from .folder import RunFolder
from .images import judged_against, open_data
from .optimizers import build_optimizer, check_change
from .resolving import resolve_recipe

__all__ = ["check", "check_codec", "check_encoder", "compose", "selections", "settings_of"]

Notice = Callable[[str], None]


@undisturbed()
def compose(
    recipe: str | None = None,
    *,
    registry: Registry | None = None,
    notice: Notice = lambda message: None,
    **flags: Any,
) -> Composition:
    """Check a recipe and build its parts.

    Args:
        recipe: Name of a recipe, or path of a TOML file; `gfmn` by default.
        registry: Where names are looked up; by default everything installed.
        notice: Called with sentences people should read.
        flags: Any key of `gentk.recipe.Recipe`, over the recipe's value.

    Raises:
        GentkError: Anything unknown, ill-typed, missing or unfit, in one sentence.
    """
    registry = Registry.of(registry)
    resolved = resolve_recipe(recipe, flags, registry=registry)
    return build(resolved, registry, notice)


def build(
    resolved: Resolved, registry: Registry, notice: Notice, advance: Advance | None = None
) -> Composition:
    """Build a resolved recipe's parts; `advance` is told while a large data set is looked through."""
    r = resolved.recipe
    losses = check(resolved, registry)
    family, main = family_for(r, losses, registry)
    uses = family.looks_at_all(part.loss for part in losses)
    set_threads(r.threads)
    world = join(r.device)
    check_chunks(world, r.batch, r.chunk)
    device = world.device
    images = open_data(r.data, registry, notice, advance)
    told = judged_against(r.data, len(images), registry)
    if told is not None:
        notice(told)
    for part in (*losses, *_apart(r, registry)):
        if "labels" in needs_of(family, part.loss):
            labels_of(images, f"loss {part.text!r}", r.data)
    folder = RunFolder(resolved.folder())
    codec = None
    if r.codec is not None:
        codec = finished(folder.locate(r.codec), registry, r.device).as_codec().to(device)
        check_codec(images.shape, codec, r, images.name)
    shape = codec.shape if codec else images.shape
    space = None
    if "extractor" in uses:
        texts = tuple(map(folder.locate, r.extractor))
        space = extractor_space(
            texts,
            registry,
            images.shape,
            device,
            notice,
            learned=bool(family.learned),
            weighed=True,
        )
        space.dtype = getattr(torch, r.dtype)
        space.codec = codec

    def build_part(kind: str, text: str, **supplied: Any) -> nn.Module:
        """Build a network whose first weights depend on the seed alone, if it fits into memory."""

        def make() -> nn.Module:
            return cast(nn.Module, registry.build(kind, text, image=shape, **supplied)[0])

        check_affordable(make, text)
        if kind == "generator":
            check_step(cast(Callable[[], Generator], make), r)
        with randomness.lent(device, seed=randomness.derive(r.seed, kind)):
            network = make()
        return network.to(device).to(memory_format=torch.channels_last)

    generator = cast(Generator, build_part("generator", r.generator))
    others: dict[str, Any] = {}
    for kind, text in (("encoder", r.encoder), ("critic", r.critic)):
        if kind in uses and text is not None:
            others[kind] = build_part(kind, text, latent=generator.prior.dimension)
    if space is not None and space.learned:
        space.architecture = architecture(others["critic"])
    finer = None
    encoder = others.get("encoder")
    if encoder is not None and encoder.image != shape:
        finer = _finer(encoder, shape, r, family, registry, notice)
    if "estimator" in uses:
        losses = tuple(balanced(r, losses, registry))
    for part in losses:
        if part.loss.watch:
            own = f"{part.name}/" if len(losses) > 1 else ""
            notice(
                f"loss {part.text!r} is the same by construction, however near the data the samples "
                f"are; watch {OBSERVED}{own}{part.loss.watch}"
            )
    return Composition(
        resolved,
        registry,
        images,
        generator,
        main.loss,
        world,
        losses=losses,
        space=space,
        estimator=next(part.estimator for part in losses if part.loss is main.loss),
        codec=codec,
        finer=finer,
        **others,
    )


def selections(resolved: Resolved) -> list[tuple[str, str]]:
    """Return the kind and the selection of each component that a recipe names."""
    r = resolved.recipe
    folder = RunFolder(resolved.folder())
    return [
        ("data", r.data),
        *(("extractor", folder.locate(text)) for text in r.extractor),
        ("generator", r.generator),
        *([("encoder", r.encoder)] if r.encoder else []),
        *([("critic", r.critic)] if r.critic else []),
        *(("loss", text) for text in r.losses),
        *(("loss", own.loss) for own in r.phase.values() if own.loss),
        *(("penalty", text) for text in dict.fromkeys(_penalties(r))),
        *(("estimator", text) for text in dict.fromkeys(r.estimators)),
        *(("observer", text) for text in r.observer),
    ]


def check(resolved: Resolved, registry: Registry) -> tuple[LossPart, ...]:
    """Refuse names, options and pairs that do not exist or fit; reads no data, loads no weights.

    Returns:
        The losses, which need neither.
    """
    r = resolved.recipe
    parts = selections(resolved)
    check_device(r.device)
    # All names first: nothing is imported for a request that cannot be met.
    for kind, text in parts:
        registry.check(kind, text)
    for kind, text in parts:
        shared = shared_options(kind)
        values = registry.rehearse(kind, text, shared)
        if kind in SHARED:
            own = SHARED[kind](**{o.name: values[o.name] for o in shared if o.name in values})
            if isinstance(own, View) and own.pseudo is not None:
                registry.check("extractor", own.pseudo.extractor)
                registry.rehearse("extractor", own.pseudo.extractor)
    losses = _losses(r, registry)
    family, main = family_for(r, losses, registry)
    used = family.looks_at_all(part.loss for part in losses)
    for key in sorted(KEYS - used):
        # `none` takes back what a recipe says: that is no use of it.
        if resolved.origins.get(key) == f"--{key}" and getattr(r, key) is not None:
            raise Incompatible(f"loss {main.text!r} has no use for --{key}; drop it")
    check_learned(family, r, registry)
    check_balance(r, losses, registry)
    _check_estimators(r)
    _check_phases(r, family, registry)
    _check_apart(r, family, main, registry)
    check_runs(r, registry)
    for index, part in enumerate(losses):
        alone = r.alone(index)
        check_needs(family, part.loss, alone, registry)
        family.check(alone, part.loss, registry)
    family.check_all(r, losses, registry)
    return losses


def _losses(r: Recipe, registry: Registry) -> tuple[LossPart, ...]:
    """Build all losses of a recipe."""
    parts = []
    for name, text in zip(distinct(r.losses), r.losses, strict=True):
        loss, options = registry.build("loss", text, shared=shared_options("loss"))
        parts.append(LossPart(name, text, cast(Loss, loss), LossOptions(**options)))
    return tuple(parts)


def _apart(r: Recipe, registry: Registry) -> Iterator[LossPart]:
    """Yield the losses that phases have of their own."""
    for phase, own in r.phase.items():
        loss = loss_of(r, phase, registry)
        if loss is not None and own.loss is not None:
            yield LossPart(phase, own.loss, loss, LossOptions())


def _check_apart(r: Recipe, family: Family, main: LossPart, registry: Registry) -> None:
    """Refuse losses of single phases that there is no place for."""
    for part in _apart(r, registry):
        if part.name not in family.apart or isinstance(main.loss, family.loss):
            raise Incompatible(
                f"the steps of phase {part.name!r} have no loss of their own in a run with loss "
                f"{' and '.join(map(repr, r.losses))}; leave loss out of [phase.{part.name}]"
            )
        if not isinstance(part.loss, family.loss):
            raise Incompatible(
                f"[phase.{part.name}] loss is of the class {family.loss.__name__}, and {part.text!r} is "
                "not; type: gentk list loss"
            )
        check_needs(family, part.loss, r.model_copy(update={"loss": part.text}), registry)


def _check_estimators(r: Recipe) -> None:
    """Refuse estimators of which nobody could say whose they are."""
    if len(r.estimators) != len(r.losses):
        raise Incompatible(
            f"there are {len(r.estimators)} estimators for {len(r.losses)} "
            f"loss{'es' if len(r.losses) > 1 else ''}; type --estimator once for all, or once for each "
            "--loss in the same order"
        )


def _penalties(r: Recipe) -> Iterator[str]:
    """Yield all penalties, whatever phase they are of."""
    yield from r.penalty or ()
    for own in r.phase.values():
        yield from own.penalty or ()


def _check_phases(r: Recipe, family: Family, registry: Registry) -> None:
    """Refuse phases that there are not, and optimisers and schedules that torch would."""
    names = {key for phase, modules in family.phases.items() for key in (phase, *modules)}
    for name in r.phase:
        if name not in names:
            known = " or ".join(f"[phase.{key}]" for key in sorted(names))
            losses = " and ".join(map(repr, r.losses))
            raise Incompatible(
                f"there is no phase {name!r} in a run with loss {losses}; write {known}"
            )
        own = r.phase[name]
        given = {"penalty": own.penalty, "clamp": own.clamp}
        asked = [key for key, value in given.items() if value not in (None, ())]
        if asked and name not in family.phases:
            phases = " or ".join(f"[phase.{key}]" for key in family.phases)
            raise Incompatible(
                f"{name!r} is a network and {asked[0]} is a phase's: write it in {phases}"
            )
        if own.penalty and name not in family.penalised:
            better = " or ".join(f"[phase.{key}]" for key in sorted(family.penalised))
            where = f"write it in {better}" if better else "leave it out"
            raise Incompatible(
                f"the steps of phase {name!r} take no penalty in a run with loss "
                f"{' and '.join(map(repr, r.losses))}; {where}"
            )
    for phase, modules in family.phases.items():
        for key in (phase, *modules):
            settings = settings_of(r, phase, key)
            build_optimizer(settings.optimizer, [], registry)
            for change in settings.schedule:
                check_change(settings.optimizer, change.set, registry)


def check_codec(image: ImageShape, codec: Codec, r: Recipe, name: str) -> None:
    """Refuse images, of data called `name`, that the codec cannot encode."""
    if image != codec.image:
        raise Incompatible(
            f"codec {r.codec!r} encodes images of {tuple(codec.image)}, those of {name!r} are "
            f"{tuple(image)} (channels, height, width); add size={codec.image.height},"
            f"channels={codec.image.channels} to --data"
        )


def _finer(
    encoder: Encoder,
    shape: ImageShape,
    r: Recipe,
    family: Family,
    registry: Registry,
    notice: Notice,
) -> ImageSet:
    """Open the data once more, at the resolution of an encoder that reads more than is generated."""
    check_encoder(encoder, shape, r, family)
    own = Selection.parse(r.data)
    text = str(replace(own, options={**own.options, "size": str(encoder.image.width)}))
    return open_data(text, registry, notice)


def check_encoder(encoder: Encoder, shape: ImageShape, r: Recipe, family: Family) -> None:
    """Refuse an encoder that reads other images than are generated, where it may not."""
    side = encoder.image.width
    whole = side % shape.width == 0 and encoder.image == (shape.channels, side, side)
    if not family.magnifies or r.codec is not None or not whole:
        raise Incompatible(
            f"encoder {r.encoder!r} reads images of {tuple(encoder.image)} and the generator makes "
            f"{tuple(shape)} (channels, height, width); it may be larger only without "
            "codec, by a whole factor, and with a loss whose family can (such as adversarial)"
        )


@dataclass(frozen=True)
class Settings:
    """How one network is optimised: the recipe's values, over them its phase's, over them its own."""

    optimizer: str
    schedule: tuple[Change, ...]
    decay: Decay


def settings_of(r: Recipe, phase: str, network: str) -> Settings:
    """Return the settings of a network in a phase."""
    settings = Settings(r.optimizer, r.schedule, r.decay)
    for own in (r.phase.get(phase), r.phase.get(network)):
        if own is not None:
            settings = Settings(
                own.optimizer or settings.optimizer,
                settings.schedule if own.schedule is None else own.schedule,
                own.decay or settings.decay,
            )
    return settings
