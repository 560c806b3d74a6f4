"""The rehearsal: all that a run would build, without data and weights, and one pass of two samples.

What does not fit is refused before anything trains: also what only the last of several stages would
build. Networks are built on the meta device, where numbers have shapes and no values, and on the CPU
where a network cannot be built so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import torch

from ..blame import blame_of
from ..codec import Codec
from ..data.view import View
from ..engine import randomness
from ..errors import GentkError, Incompatible
from ..families.base import Family, fit_penalties
from ..families.learned import family_for
from ..families.shared import shared_options
from ..feature_space import FeatureSpace
from ..interfaces import (
    Critic,
    Encoder,
    Extractor,
    Features,
    Generator,
    ImageShape,
    MatchingLoss,
    Source,
)
from ..recipe import Resolved
from ..registry import Registry
from ..selection import Selection, unquoted
from .affordable import check_affordable, check_step
from .composing import check, check_codec, check_encoder
from .cost import enlargements
from .earlier import finished
from .folder import RunFolder
from .passing import one_pass
from .stages import plan
from .start import of_runs, read_start

__all__ = ["rehearse"]

Notice = Callable[[str], None]
T = TypeVar("T")

META, CPU = torch.device("meta"), torch.device("cpu")


@dataclass(frozen=True)
class _Networks:
    """What a run would train: shapes, no weights."""

    generator: Generator
    encoder: Encoder | None
    critic: Critic | None
    codec: Codec | None

    def as_codec(self, name: str) -> Codec:
        """Return encoder and generator as a codec."""
        if self.encoder is None:
            raise Incompatible(
                f"{name} has no encoder, so it cannot be a codec; name another stage"
            )
        return Codec(self.encoder, self.generator, self.codec, name)


def rehearse(resolved: Resolved, registry: Registry, notice: Notice = lambda message: None) -> None:
    """Refuse a recipe, or a stage of it, whose parts do not fit.

    Args:
        resolved: The recipe.
        registry: Where names are looked up.
        notice: Called with a sentence about what could not be looked at.

    Raises:
        GentkError: Whatever does not fit.
    """
    _rehearsed(resolved, registry, {}, notice)


def _rehearsed(
    resolved: Resolved, registry: Registry, stages: dict[Path, _Networks | None], notice: Notice
) -> _Networks | None:
    """Rehearse a recipe after its stages, whose networks are kept by their folder."""
    for _, stage in plan(resolved, registry):
        stages[stage.folder()] = _rehearsed(stage, registry, stages, notice)
    return _Rehearsal(resolved, registry, stages, notice).play()


class _Rehearsal:
    """One run of them."""

    def __init__(
        self,
        resolved: Resolved,
        registry: Registry,
        stages: Mapping[Path, _Networks | None],
        notice: Notice,
    ) -> None:
        self.resolved, self.recipe = resolved, resolved.recipe
        self.registry, self.stages, self.notice = registry, stages, notice
        self.folder = RunFolder(resolved.folder())

    def play(self) -> _Networks | None:
        """Return the networks, None if it is known only with the data which they are."""
        r = self.recipe
        losses = check(self.resolved, self.registry)
        family, _ = family_for(r, losses, self.registry)
        image = known_shape(r.data, self.registry, guess=r.codec is None)
        if image is None:
            self.notice(
                f"the size of {r.data} is known only when it is opened, so that networks are not "
                "tried; add size=N to --data to have them tried too"
            )
            return None
        codec = None
        if r.codec is not None:
            other = self._earlier(r.codec)
            if other is None:
                return None
            codec = other.as_codec(r.codec)
            check_codec(image, codec, r, r.data)
        shape, smallest = codec.shape if codec else image, family.smallest(r)

        def through(networks: _Networks, device: torch.device) -> None:
            for index, part in enumerate(losses):
                alone = r.alone(index)
                g, e, critic = networks.generator, networks.encoder, networks.critic
                family.fit(alone, part.loss, g, e, critic)
            fit_penalties(family, r, networks.critic, self.registry)
            everyone = networks.generator, networks.encoder, networks.critic
            with torch.enable_grad():
                family.rehearse(r, losses, self.registry, *everyone)
            for count in (2, 1) if smallest == 1 else (2,):
                one_pass(networks.generator, networks.encoder, networks.critic, count, device)

        self._weigh(shape)
        networks = self._tried(lambda: self._networks(shape, family, codec), through)
        self._warm(networks)
        matching = [part.loss for part in losses if isinstance(part.loss, MatchingLoss)]
        if matching:
            self._features(networks, matching, image)
        return networks

    def _earlier(self, text: str) -> Any:
        """Return a stage's networks (None if they are not known), or a finished run."""
        located = self.folder.locate(text)
        place = Path(unquoted(located.removeprefix("run:"))).expanduser()
        return (
            self.stages[place] if place in self.stages else finished(located, self.registry, "cpu")
        )

    def _weigh(self, shape: ImageShape) -> None:
        """Refuse a generator, or a step of it, that does not fit into memory."""
        text = self.recipe.generator

        def build() -> Generator:
            return cast(Generator, self.registry.build("generator", text, image=shape)[0])

        check_affordable(build, text)
        check_step(build, self.recipe)

    def _networks(self, shape: ImageShape, family: Family, codec: Codec | None) -> _Networks:
        """Build what is trained."""
        r, build = self.recipe, self.registry.build
        generator = cast(Generator, build("generator", r.generator, image=shape)[0])
        others: dict[str, Any] = {}
        for kind, text in (("encoder", r.encoder), ("critic", r.critic)):
            if kind in family.uses and text is not None:
                latent = generator.prior.dimension
                others[kind] = build(kind, text, image=shape, latent=latent)[0]
        encoder = others.get("encoder")
        if encoder is not None and encoder.image != shape:
            check_encoder(encoder, shape, r, family)
        return _Networks(generator, encoder, others.get("critic"), codec)

    def _warm(self, networks: _Networks) -> None:
        """Refuse a start whose weights do not fit."""
        if self.recipe.init is None:
            return
        text = self.folder.locate(self.recipe.init)
        if "stage:" in self.recipe.init:
            runs = [self._earlier(part) for part in self.recipe.init.split("+")]
            if any(run is None for run in runs):
                return
            start = of_runs(text, runs)
        else:
            start = read_start(text, self.registry)
        start.fit("generator", networks.generator, self.recipe)
        if networks.encoder is not None and "encoder" in start.weights:
            start.fit("encoder", networks.encoder, self.recipe)

    def _features(
        self, networks: _Networks, losses: Sequence[MatchingLoss], image: ImageShape
    ) -> None:
        """Take two samples through the extractors, with random weights where these can be had."""
        if any(self._is_stage(text) for text in self.recipe.extractor):
            return  # A stage has no weights yet.
        shape, values = networks.generator.image, networks.generator.range
        codec = networks.codec

        def space() -> FeatureSpace:
            extractors = {
                f"{text}#{n}": self._extractor(text) for n, text in enumerate(self.recipe.extractor)
            }
            built = FeatureSpace(extractors, image.channels)
            built.codec = codec
            return built

        def through(built: FeatureSpace, device: torch.device) -> None:
            if codec is not None and device != next(codec.parameters()).device:
                return
            learned = {
                name: torch.rand(value.shape, device=device)
                for name, value in _judged(networks).items()
            }
            features = built(torch.rand(2, *shape, device=device), values, learned)
            zeros = {name: torch.zeros(value.shape) for name, value in features.items()}
            labels = torch.zeros(2, networks.generator.prior.classes)
            for loss in losses:
                own = (labels,) if "labels" in loss.needs else ()
                loss.summarise(zeros, None, *own)

        for larger in enlargements(self._tried(space, through), image):
            self.notice(f"{larger}, which makes every step slower")

    def _extractor(self, text: str) -> Extractor:
        own = Selection.parse(self.folder.locate(text))
        options = self.registry.options(self.registry.find("extractor", own.name))
        if any(option.name == "weights" for option in options):
            own = replace(own, options={**own.options, "weights": "none"})
        return cast(
            Extractor,
            self.registry.build("extractor", str(own), shared=shared_options("extractor"))[0],
        )

    def _is_stage(self, text: str) -> bool:
        """Say whether an extractor is a stage, which has no weights yet."""
        located = self.folder.locate(text)
        return any(str(place) in located for place in self.stages)

    def _tried(self, build: Callable[[], T], through: Callable[[T, torch.device], None]) -> T:
        """Build something and take a pass through it; raise `Incompatible` for what torch refuses."""
        for device in (META, CPU):
            try:
                with randomness.lent(CPU, seed=0), torch.no_grad():
                    with device:
                        built = build()
                    through(built, device)
                return built
            except GentkError:
                raise
            except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
                # What has no shape without values is tried with values.
                if device == CPU:
                    raise self._misfit(error) from error
        raise AssertionError("the CPU is the last device")

    def _even(self) -> int:
        """Return the smallest chunk of at least two samples that leaves none alone."""
        r = self.recipe
        family, _ = family_for(r, check(self.resolved, self.registry), self.registry)
        sizes = range(2, r.batch + 1)
        return next(n for n in sizes if family.smallest(r.model_copy(update={"chunk": n})) > 1)

    def _misfit(self, error: Exception) -> Incompatible:
        """Return the sentence for what torch refused."""
        reason, r = " ".join(str(error).split()), self.recipe
        if "more than 1 value per channel" in reason:
            return Incompatible(
                f"a batch norm has no variance of 1 sample, and a batch of {r.batch} in chunks of "
                f"{r.chunk or r.batch} leaves one alone; type --chunk {self._even()}"
            )
        blame = blame_of(error)
        where, author = (f", in {blame}", ", or tell its author") if blame else ("", "")
        return Incompatible(
            f"the parts of {self.resolved.name} do not fit{where}: {reason[:300]}; choose another "
            f"--generator, --encoder, --critic or --extractor{author}"
        )


@torch.no_grad()
def _judged(networks: _Networks) -> Features:
    """Return the features that the critic makes of two samples, if there is one."""
    g, critic = networks.generator, networks.critic
    if critic is None:
        return {}
    device = next(critic.parameters()).device
    with randomness.lent(CPU, seed=0):
        z, classes = g.prior.split(g.prior.draw(2, device))
        images = torch.rand(2, *critic.image, device=device)
    pair, labels = z if critic.pairs else None, classes if critic.classes else None
    return critic.judge(images, pair, labels)[1]


def known_shape(text: str, registry: Registry, *, guess: bool) -> ImageShape | None:
    """Return the shape of the images of data by name, without opening them; None if they decide it.

    Args:
        text: The data.
        registry: Where their name is looked up.
        guess: Take them for colour if nobody says: networks of either are alike but for their ends.
    """
    source, values = registry.build("data", text, shared=shared_options("data"))
    view = View(**values)
    own = cast(Source, source).shape
    if (view.size is None and own is None) or not (guess or view.channels or own):
        return None
    side = view.size or view.crop or cast(ImageShape, own).height
    channels = view.channels or (own.channels if own is not None else 3)
    return ImageShape(channels, side, side)
