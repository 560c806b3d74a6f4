"""Matching runs: a generator whose samples' statistics are brought to those of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from ..engine import Discrepancy, Matching, Phase, randomness
from ..engine.loop import Stateful
from ..errors import DataError, Incompatible
from ..interfaces import Critic, Encoder, Generator, Loss, MatchingLoss
from ..recipe import Recipe
from ..registry import Registry
from ..statistics import DataSide
from ..summary import Samples
from .base import Advance, Family, Program, samples
from .composition import Composition, LossPart
from .estimators import check_estimator
from .sides import data_sides, floor, prepare

__all__ = ["MatchingFamily"]


class MatchingFamily(Family):
    """G(z) -> phi -> Summary -> statistics -> estimator -> loss."""

    loss: ClassVar[type[Loss]] = MatchingLoss
    beside: ClassVar[tuple[type[Loss], ...]] = (MatchingLoss,)
    uses = frozenset({"extractor", "estimator", "reference", "labels"})
    phases: ClassVar[dict[str, tuple[str, ...]]] = {"generator": ("generator",)}

    def check(self, r: Recipe, loss: Loss, registry: Registry) -> None:
        """Refuse a loss and an estimator that do not fit."""
        assert isinstance(loss, MatchingLoss)
        check_estimator(r, loss, registry)

    def looks_at(self, loss: Loss) -> frozenset[str]:
        """Return what is looked at: `reference` is of losses whose data are a minibatch a step."""
        assert isinstance(loss, MatchingLoss)
        drawn = issubclass(loss.data_summary, Samples)
        return self.uses if drawn else self.uses - {"reference"}

    def fit(
        self,
        r: Recipe,
        loss: Loss,
        generator: Generator,
        encoder: Encoder | None,
        critic: Critic | None,
    ) -> None:
        """Refuse a loss that goes by classes where there are none, or too few samples of each."""
        if "labels" not in loss.needs:
            return
        classes = generator.prior.classes
        if not classes:
            raise Incompatible(
                f"loss {r.losses[0]!r} goes by classes and generator {r.generator!r} makes none; "
                "write classes=N, as many as the data have, for the generator"
            )
        if r.batch < 2 * classes:
            raise Incompatible(
                f"loss {r.losses[0]!r} needs two samples of each class a step, and a batch of {r.batch} "
                f"has fewer of {classes} classes; type --batch {2 * classes} or more"
            )

    def program(self, c: Composition, advance: Advance | None) -> Program:
        """Summarise the data and start the estimators."""
        r = c.recipe
        assert c.space is not None
        state: dict[str, Stateful] = {}
        sides: list[DataSide] = []
        for part in c.losses:
            assert isinstance(part.loss, MatchingLoss)
            self.fit(r.model_copy(update={"loss": part.text}), part.loss, c.generator, None, None)
            _check_classes(c, part)
            classes = c.generator.prior.classes
            sides.append(DataSide(part.loss, c.space, part.extractor, classes))
        for side in sides:
            prepare(c, side, advance)
        discrepancies = []
        for part, side, drawn in zip(c.losses, sides, data_sides(c, sides, advance), strict=True):
            assert part.estimator is not None
            several = len(sides) > 1
            tail = f"/{part.name}" if several else ""
            state[f"estimator{tail}"] = part.estimator
            if drawn.state is not None:
                state[f"data{tail}"] = drawn.state
            discrepancies.append(
                Discrepancy(
                    side.loss,
                    part.estimator,
                    drawn.first,
                    name=part.name if several else "",
                    factor=part.factor / (floor(c, side) if part.options.balance == "floor" else 1),
                    extractor=side.extractor,
                    fresh=drawn.fresh,
                )
            )
        objective = Matching(
            c.generator,
            c.space,
            discrepancies,
            batch=r.batch,
            chunk=r.chunk,
            world=c.world,
            seed=randomness.derive(r.seed, "chunks"),
        )
        state["draws"] = objective.draws
        _check_finite(discrepancies)
        with randomness.lent(c.device, seed=randomness.derive(r.seed, "estimator")):
            for discrepancy in discrepancies:
                objective.start(discrepancy)
        phase = Phase("generator", {"generator": c.generator}, objective, r.batch)
        return Program([phase], samples(c), state)


def _check_classes(c: Composition, part: LossPart) -> None:
    """Refuse data that have another number of classes than the generator, or too few images of one."""
    if "labels" not in part.loss.needs:
        return
    classes, r = c.generator.prior.classes, c.recipe
    assert part.estimator is not None and c.images.labels is not None
    numbers = torch.bincount(c.images.labels, minlength=classes)
    if len(numbers) > classes:
        raise Incompatible(
            f"{r.data!r} has the label {len(numbers) - 1} and generator {r.generator!r} makes classes 0 "
            f"to {classes - 1}; write classes={len(numbers)} for the generator"
        )
    if int(numbers.min()) < 2:
        raise Incompatible(
            f"loss {part.text!r} needs two images of each class, and {r.data!r} has "
            f"{int(numbers.min())} of class {int(numbers.argmin())}; add data, or write fewer classes "
            "for the generator"
        )
    if 0 < part.estimator.seeding < 2 * classes:
        raise Incompatible(
            f"seeding={part.estimator.seeding} is fewer than two samples of each of {classes} classes; "
            f"write seeding={2 * classes} or more"
        )


def _check_finite(discrepancies: Sequence[Discrepancy]) -> None:
    """Refuse data whose statistics no loss can be compared with."""
    for discrepancy in discrepancies:
        for name, value in discrepancy.reference.items():
            if not torch.isfinite(value).all():
                raise DataError(
                    f"the {name} of the data's features is not finite; check the images, or choose "
                    "other layers of the extractor"
                )
