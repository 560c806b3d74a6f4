"""Families: what a run of one class of losses consists of, and in which phases its parts are trained.

The loop knows no family and a family knows no loop: it hands over a `Program`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from ..data.imageset import ImageSet
from ..data.minibatches import Minibatches
from ..engine import Phase, randomness
from ..engine.chunks import chunk_sizes
from ..engine.loop import Stateful, Watch
from ..engine.sampling import generate
from ..errors import Incompatible
from ..interfaces import Critic, Encoder, Generator, Loss, Penalty
from ..recipe import Recipe
from ..registry import Registry
from ..selection import distinct
from .composition import Composition, LossPart

__all__ = [
    "KEYS",
    "Advance",
    "Family",
    "Program",
    "fit_penalties",
    "labels_of",
    "loss_of",
    "minibatches",
    "penalties",
    "samples",
]

KEYS = frozenset({"extractor", "estimator", "encoder", "critic", "reference", "penalty"})
"""The keys of a recipe that not every run needs: a family says which of them its runs use."""

GRID = 64
"""Images in a sample grid."""

Advance = Callable[[str, int, int], None]
"""Called with what is being done before training starts, the number done, and the total."""


@dataclass(frozen=True)
class Program:
    """How a composition is trained.

    Attributes:
        phases: What is optimised, in turn; optimisers and clip are left to training.
        draw: Given the modules of `averaged` phases (averaged weights where there are any), in eval
            mode, returns images in [0, 1] for the run's sample grids.
        state: Name -> what a checkpoint keeps besides the trained modules.
        watch: Looks at logged steps and returns what people should be told of them, if anything.
    """

    phases: list[Phase]
    draw: Callable[[Mapping[str, nn.Module]], Tensor]
    state: dict[str, Stateful] = field(default_factory=dict)
    watch: Watch | None = None

    @property
    def modules(self) -> dict[str, nn.Module]:
        """All trained modules by name."""
        return {name: module for phase in self.phases for name, module in phase.modules.items()}


def samples(c: Composition) -> Callable[[Mapping[str, nn.Module]], Tensor]:
    """Return a program's `draw`: the generator's images of latents that stay the same all through."""
    with randomness.lent(c.device, seed=randomness.derive(c.recipe.seed, "grid")):
        latents = c.generator.prior.draw(GRID, c.device)

    def draw(modules: Mapping[str, nn.Module]) -> Tensor:
        return torch.cat(list(generate(cast(Generator, modules["generator"]), latents, c.codec)))

    return draw


def minibatches(c: Composition) -> Minibatches:
    """Return endless minibatches of a run's data; a program's state keeps their order.

    They are codes where the generator makes codes, and at the encoder's resolution where that is the
    larger one.
    """
    seed = randomness.derive(c.recipe.seed, "data")
    images = c.finer or c.images
    return Minibatches(images, c.recipe.batch, seed, codec=c.codec, device=c.device)


def labels_of(images: ImageSet, asker: str, data: str) -> Tensor:
    """Return the class index of every image, (N,) int64; raise `Incompatible` where one has none.

    Args:
        images: The data.
        asker: Who needs them, as in `critic 'fhj'`.
        data: How the data were written.
    """
    labels = images.labels
    if labels is None or bool((labels < 0).any()):
        raise Incompatible(
            f"{asker} looks at classes and {data!r} has images without a label; add "
            "labels=FILE.npy to the data, one class index per training image, or "
            "labels=kmeans:10:pixels, clusters in an extractor's features"
        )
    return labels


def loss_of(r: Recipe, phase: str, registry: Registry) -> Loss | None:
    """Build the loss that a phase has of its own, `[phase.NAME] loss`; None where it has none."""
    own = r.phase.get(phase)
    if own is None or own.loss is None:
        return None
    return cast(Loss, registry.build("loss", own.loss)[0])


def penalties(r: Recipe, phase: str, registry: Registry) -> dict[str, Penalty]:
    """Build the penalties of a phase; a second one of a name is called `NAME#2`.

    Args:
        r: The recipe.
        phase: `critic`, say.
        registry: Where names are looked up.
    """
    texts = r.penalties(phase)
    return {
        name: cast(Penalty, registry.build("penalty", text)[0])
        for name, text in zip(distinct(texts), texts, strict=True)
    }


def fit_penalties(family: Family, r: Recipe, critic: Critic | None, registry: Registry) -> None:
    """Refuse a critic that a penalty of a recipe cannot be of."""
    for phase in sorted(family.penalised):
        for penalty in penalties(r, phase, registry).values():
            if critic is not None:
                penalty.fit(critic)


class Family(ABC):
    """How the runs of one class of losses are trained.

    A family is found by the class of a run's loss: of those that train one of its bases, the one whose
    class comes first in the loss's method resolution order. Nobody types its name, so it takes no
    options: what it must be told, and parts that have no key in a recipe, are options of the loss.

    Attributes:
        loss: The class of the losses it trains.
        beside: The classes of losses that its runs may have besides their first: their sum is then
            minimised, each with its `factor`. Empty for one loss a run, which has no factor.
        needs: What each of its runs must have, besides what the loss says in its own `needs`.
        uses: The keys of a recipe, among `KEYS`, that it looks at; and `labels`, if its losses are given
            those of the data.
        phases: The names its phases have, as in `[phase.NAME]` -> the names of the networks trained in
            each.
        learned: The classes of losses that it trains on features that move: those of the run's own
            critic (`--extractor critic`). It then comes before the families that train them on frozen
            ones.
        apart: The phases, among `phases`, that may have a loss of their own (`[phase.NAME] loss`).
        penalised: The phases, among `phases`, whose steps take penalties.
        magnifies: Whether its encoder may read images of a multiple of the size that is generated; they
            are then in `Composition.finer`.
    """

    loss: ClassVar[type[Loss]]
    beside: ClassVar[tuple[type[Loss], ...]] = ()
    needs: ClassVar[frozenset[str]] = frozenset()
    uses: ClassVar[frozenset[str]] = frozenset()
    learned: ClassVar[tuple[type[Loss], ...]] = ()
    apart: ClassVar[frozenset[str]] = frozenset()
    phases: ClassVar[dict[str, tuple[str, ...]]]
    penalised: ClassVar[frozenset[str]] = frozenset()
    magnifies: ClassVar[bool] = False

    def looks_at(self, loss: Loss) -> frozenset[str]:
        """Return the keys among `uses` that it looks at with this loss."""
        return self.uses

    def looks_at_all(self, losses: Iterable[Loss]) -> frozenset[str]:
        """Return the keys that it looks at with these losses."""
        return frozenset().union(*map(self.looks_at, losses))

    def smallest(self, r: Recipe) -> int:
        """Return how many samples the smallest graph of a step has; by default chunks are even."""
        return min(chunk_sizes(r.batch, r.chunk or r.batch))

    def fit(
        self,
        r: Recipe,
        loss: Loss,
        generator: Generator,
        encoder: Encoder | None,
        critic: Critic | None,
    ) -> None:
        """Refuse networks that do not fit each other or the loss; looks at no weights."""
        return None

    def check(self, r: Recipe, loss: Loss, registry: Registry) -> None:  # noqa: B027
        """Refuse parts that do not fit each other; reads no data, loads no weights.

        Called for each loss of a run.

        Args:
            r: The recipe, with this loss alone; what is needed is there.
            loss: The loss, built.
            registry: Where names are looked up.

        Raises:
            Incompatible: In one sentence that says what to type instead.
        """

    def check_all(self, r: Recipe, losses: Sequence[LossPart], registry: Registry) -> None:  # noqa: B027
        """Refuse losses that do not fit each other, or what is played besides; as `check`, but once.

        Args:
            r: The recipe.
            losses: All its losses, built.
            registry: Where names are looked up.

        Raises:
            Incompatible: In one sentence that says what to type instead.
        """

    def rehearse(  # noqa: B027
        self,
        r: Recipe,
        losses: Sequence[LossPart],
        registry: Registry,
        generator: Generator,
        encoder: Encoder | None,
        critic: Critic | None,
    ) -> None:
        """Refuse what a step would refuse, by two samples through networks that train nothing.

        Called without data, on the meta device as a rule; networks and losses are thrown away.

        Args:
            r: The recipe.
            losses: All its losses, built.
            registry: Where names are looked up.
            generator: G, random weights or none.
            encoder: E, likewise.
            critic: The critic, likewise.

        Raises:
            GentkError: In one sentence that says what to type instead.
        """

    @abstractmethod
    def program(self, c: Composition, advance: Advance | None) -> Program:
        """Prepare the training of a composition.

        Args:
            c: The parts: those that `uses` names, where the recipe has them.
            advance: Called with what takes long, if anybody listens.
        """
