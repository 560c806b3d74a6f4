"""Families: what a run of one kind of loss consists of, and in which phases its parts are trained.

The loop knows no family and a family knows no loop: it hands over a `Program`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from ..engine import Phase, randomness
from ..engine.loop import Stateful, Watch
from ..engine.sampling import generate
from ..interfaces import Generator, Loss
from ..recipe import Recipe
from ..registry import Registry
from .composition import Composition

__all__ = ["Advance", "Family", "Program", "samples"]

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


class Family(ABC):
    """One family of runs.

    Attributes:
        loss: The class of the losses it trains with.
        uses: The keys of a recipe, among those that not every run needs, that it looks at.
        phases: The names its phases have -> the names of the networks trained in each.
    """

    loss: ClassVar[type[Loss]]
    uses: ClassVar[frozenset[str]]
    phases: ClassVar[dict[str, tuple[str, ...]]]

    @abstractmethod
    def check(self, r: Recipe, loss: Loss, registry: Registry) -> None:
        """Refuse parts that do not fit each other; reads no data, loads no weights."""

    @abstractmethod
    def program(self, c: Composition, advance: Advance | None) -> Program:
        """Prepare the training of a composition."""
