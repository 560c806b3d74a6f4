"""Given: objects beside names, written as names, and a registry that has them.

An object is adopted under a key (`gentk.runs.objects.identity`); the recipe says `object:KEY` in its
place, and the registry that is lent the objects builds it from there: composing, identity, record and
resuming know of names only.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from ...errors import UnknownName, UsageError
from ...interfaces import (
    Critic,
    Encoder,
    Estimator,
    Extractor,
    Generator,
    ImageShape,
    Loss,
    Metric,
    Observer,
    Penalty,
    Range,
    Source,
)
from ...recipe import Recipe
from ...registry import Registry
from ...selection import Selection
from ...session import OBJECT, as_recorded, objects_of
from ..images import data_name
from ..resolving import FILE
from .identity import Own, are_one, key_of, layer_of, qualname
from .images import OwnImages, unpacked
from .losses import OwnLoss
from .networks import (
    OwnCritic,
    OwnEncoder,
    OwnExtractor,
    OwnGenerator,
    latents_of,
    range_of,
)

__all__ = ["ALSO", "COMPONENTS", "Given", "serves"]

COMPONENTS: Final[dict[str, type]] = {
    "data": Source,
    "extractor": Extractor,
    "generator": Generator,
    "encoder": Encoder,
    "critic": Critic,
    "loss": Loss,
    "penalty": Penalty,
    "estimator": Estimator,
    "metric": Metric,
    "observer": Observer,
}
"""Kind -> the class of its components."""

ALSO: Final[dict[str, tuple[tuple[Any, ...], str]]] = {
    "data": ((Tensor, np.ndarray, Dataset), "a tensor, an array or a data set of torch"),
    "extractor": ((nn.Module, Callable), "a module of torch or a function"),
    "generator": ((nn.Module,), "a module of torch"),
    "encoder": ((nn.Module,), "a module of torch"),
    "critic": ((nn.Module,), "a module of torch"),
    "loss": ((Callable,), "a function of two dicts of features"),
    "optimizer": ((Callable,), "a function of parameters"),
    "init": ((nn.Module,), "a module of torch"),
}
"""Kind -> what else serves, and how a sentence calls it."""

RUNS: Final = ("init", "codec")
"""Keys of recipes whose value is a run: a path means that of its folder, or a file of weights."""

MANY: Final = ("extractor", "loss", "penalty", "estimator", "observer")
"""Keys of recipes that take several."""


class Given:
    """The objects of one call.

    Args:
        registry: Where names are looked up.
    """

    def __init__(self, registry: Registry) -> None:
        self._names = registry
        self._held: dict[str, dict[str, Own]] = {}

    @property
    def registry(self) -> Registry:
        """The registry with what was adopted."""
        builders = {kind: BUILDERS.get(kind, _component)(kind, h) for kind, h in self._held.items()}
        given = {
            kind: {key: own.subject for key, own in h.items()} for kind, h in self._held.items()
        }
        return self._names.lend(builders, given) if builders else self._names

    def hold(self, kind: str, value: object) -> tuple[str, Own]:
        """Keep an object and return what it goes by.

        Raises:
            UsageError: It is nothing that can serve as this kind, or nothing identifies it, or another
                object goes by the same.
        """
        given = value if isinstance(value, Own) else Own(value)
        given = unpacked(given) if kind == "data" else given
        _refuse_unfit(kind, given.subject)
        key = key_of(kind, given)
        if not are_one(kind, self._held.setdefault(kind, {}).setdefault(key, given), given):
            raise UsageError(
                f"two of {kind} look alike: both go by {key!r}; give each a name of its own: "
                f"{kind}=gentk.own(..., name='first') and {kind}=gentk.own(..., name='second')"
            )
        return key, given

    def text(self, kind: str, value: object) -> str:
        """Return a name as it is, and an object as the recipe writes it.

        Raises:
            UsageError: It is nothing that can serve as this kind, or nothing identifies it.
        """
        if isinstance(value, str):
            return value
        if isinstance(value, Path):
            return data_name(str(value), self._names) if kind == "data" else str(value)
        key, given = self.hold(kind, value)
        options = dict(given.options)
        if kind == "generator" and not isinstance(given.subject, Generator):
            latent = latents_of(given.subject, options.get("latent"))
            options["latent"] = str(latent)
            if "range" not in options:
                options["range"] = range_of(given.subject, latent)
        return str(Selection(OBJECT, key, options))

    def keys(
        self, keys: Mapping[str, object], base: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Return keys of a recipe as recipes have them: names and objects as texts.

        A trained network stands as `init` for the generator too, unless there is another. One that is
        given as `generator` brings its weights: it takes the place of what the recipe starts from.

        Args:
            keys: The keys.
            base: The table of the recipe that they are laid over.

        Raises:
            UsageError: A value that is nothing which can serve there, or that nothing identifies.
        """
        whole = dict(keys)
        init, generator = whole.get("init"), whole.get("generator")
        if init is None and "init" in (base or {}) and _is_object(generator):
            whole["init"] = generator
        elif generator is None and "generator" not in (base or {}) and _is_object(init):
            whole["generator"] = init
        return {key: self._key(key, value) for key, value in whole.items()}

    def _key(self, key: str, value: object) -> Any:
        if key == "phase" and isinstance(value, Mapping):
            return {name: self._phase(own) for name, own in value.items()}
        if key in RUNS:
            return self._start(key, value)
        if key not in COMPONENTS and key != "optimizer":
            return str(value) if isinstance(value, Path) else value
        if value is None or isinstance(value, str):
            return value
        if key in MANY and isinstance(value, list | tuple):
            return [self.text(key, item) for item in value]
        return self.text(key, value)

    def _start(self, key: str, value: object) -> object:
        if isinstance(value, Path):
            return str(value) if value.suffix == FILE else str(Selection("run", str(value)))
        if key == "codec" or not _is_object(value):
            return value
        return str(Selection(OBJECT, self.hold("init", value)[0]))

    def _phase(self, own: object) -> object:
        return self.keys(own) if isinstance(own, Mapping) else own

    def check_recorded(self, r: Recipe) -> None:
        """Refuse objects that a recorded run was not made with, and a run whose networks are not given.

        Raises:
            UsageError: An object of which the run knows nothing.
            UnknownName: A generator or an encoder is missing.
        """
        for kind, held in self._held.items():
            recorded = objects_of(r, kind)
            for key in held:
                if key not in recorded:
                    known = " and ".join(map(repr, recorded)) or "no object"
                    advice = as_recorded(kind, recorded, held) if recorded else "drop it"
                    raise UsageError(
                        f"the run was made with {known} as its {kind}, and what is given is {key!r}; "
                        f"{advice}"
                    )
        for kind in ("generator", "encoder"):
            text = getattr(r, kind)
            if text is not None and Selection.parse(text).name == OBJECT:
                self.registry.check(kind, text)


def _is_object(value: object) -> bool:
    """Say whether a network is given, not named."""
    return isinstance(value, nn.Module | Own)


def serves(kind: str, subject: object) -> bool:
    """Say whether an object can be given as a kind: a component, or what is made into one."""
    component, (others, _) = COMPONENTS.get(kind), ALSO.get(kind, ((), ""))
    if kind == "loss" and isinstance(subject, nn.Module):
        return isinstance(subject, Loss)
    return isinstance(subject, tuple(filter(None, (component, *others))))


def _refuse_unfit(kind: str, subject: object) -> None:
    """Refuse an object that cannot serve as a kind."""
    component = COMPONENTS.get(kind)
    words = ALSO.get(kind, ((), ""))[1]
    if isinstance(subject, type) and kind != "optimizer":
        raise UsageError(
            f"{kind}={subject.__name__} is a class; give one of its objects, {subject.__name__}(...)"
        )
    if serves(kind, subject):
        return
    if kind == "loss" and isinstance(subject, nn.Module):
        words = "a function of two dicts of features (a module of torch is none: pass a function)"
    ways = [words] if words else []
    if component is not None:
        article = "an" if component.__name__[0] in "AEIOU" else "a"
        ways.append(
            f"{article} {component.__module__.split('.')[0]}.interfaces.{component.__name__}"
        )
    names = {"optimizer": "adam,lr=1e-3", "init": "run:FOLDER"}.get(
        kind, f"those of gentk list {kind}"
    )
    raise UsageError(
        f"{kind} cannot be {qualname(subject)}; give a name such as {names}, {', or '.join(ways)}"
    )


N = TypeVar("N", Generator, Critic)
Builder = Callable[..., Any]
Held = Mapping[str, Own]


def _subject(kind: str, held: Held, key: str) -> Any:
    """Return a copy of the object of a key: a run changes what it trains."""
    if key not in held:
        raise UnknownName(
            f"{kind} {key!r} is not what was given: that is {' and '.join(map(repr, held))}; "
            f"{as_recorded(kind, [key], held)}"
        )
    subject = held[key].subject
    return subject if kind in ("data", "observer", "optimizer") else copy.deepcopy(subject)


def _component(kind: str, held: Held) -> Builder:
    """Return the builder of objects that are components already."""

    def build(key: str) -> Any:
        return _subject(kind, held, key)

    return build


def _data(kind: str, held: Held) -> Builder:
    def build(key: str) -> Source:
        subject = _subject(kind, held, key)
        return subject if isinstance(subject, Source) else OwnImages(held[key])

    return build


def _extractor(kind: str, held: Held) -> Builder:
    def build(key: str, *, range: Range = "unit") -> Extractor:
        subject = _subject(kind, held, key)
        if isinstance(subject, Extractor):
            return subject
        return OwnExtractor(subject, key, layer_of(held[key]), range)

    return build


def _generator(kind: str, held: Held) -> Builder:
    def build(
        key: str, *, image: ImageShape, latent: int = 1, range: Range = "signed"
    ) -> Generator:
        subject = _subject(kind, held, key)
        if not isinstance(subject, Generator):
            return OwnGenerator(subject, image, latent, range)
        return _of_size(kind, subject, image)

    return build


def _encoder(kind: str, held: Held) -> Builder:
    def build(key: str, *, image: ImageShape, latent: int, range: Range = "signed") -> Encoder:
        subject = _subject(kind, held, key)
        # An encoder may read larger images, which composing decides.
        return (
            subject if isinstance(subject, Encoder) else OwnEncoder(subject, image, latent, range)
        )

    return build


def _critic(kind: str, held: Held) -> Builder:
    def build(
        key: str,
        *,
        image: ImageShape,
        latent: int,
        range: Range = "signed",
        pairs: bool = False,
    ) -> Critic:
        subject = _subject(kind, held, key)
        if not isinstance(subject, Critic):
            return OwnCritic(subject, image, latent, range, pairs)
        return _of_size(kind, subject, image)

    return build


def _of_size(kind: str, network: N, image: ImageShape) -> N:
    """Refuse a network that was made for images of another shape."""
    if tuple(network.image) != tuple(image):
        raise UsageError(
            f"{kind} {qualname(network)} is for images of {tuple(network.image)}, the data are "
            f"{tuple(image)} (channels, height, width); build it with image={tuple(image)}"
        )
    return network


def _loss(kind: str, held: Held) -> Builder:
    def build(key: str) -> Loss:
        subject = _subject(kind, held, key)
        return subject if isinstance(subject, Loss) else OwnLoss(subject)

    return build


def _optimizer(kind: str, held: Held) -> Builder:
    def build(key: str, *, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        optimizer = _subject(kind, held, key)(parameters)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise UsageError(
                f"optimizer {key!r} returns {type(optimizer).__name__} and not an optimiser of torch; "
                "write optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-3)"
            )
        return optimizer

    return build


BUILDERS: Final[dict[str, Callable[[str, Held], Builder]]] = {
    "data": _data,
    "extractor": _extractor,
    "generator": _generator,
    "encoder": _encoder,
    "critic": _critic,
    "loss": _loss,
    "optimizer": _optimizer,
}
