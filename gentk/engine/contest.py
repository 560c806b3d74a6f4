"""Contests: matching losses on the features of both sides of a game, the critic's among them.

    data   x     -> phi, critic -> Summary -> statistics
                                                         -> D
    model  G(z)  -> phi, critic -> Summary -> statistics

The generator lowers D, and the critic raises it or trains on a loss of its own.

Both sides are summarised in every step: features of a critic in training are others in the next. The
pivot that sums are about is the first chunk's of the data, a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..errors import Incompatible
from ..feature_space import FeatureSpace
from ..interfaces import Critic, Extractor, Features, MatchingLoss, Play, Range, Side
from ..summary import Summary
from .discrepancy import Discrepancy, logged, sum_of

__all__ = ["Contest", "check_summary", "summarises"]

SIDES = 2
"""Summaries a discrepancy has: the data's and the model's."""


class Contest:
    """The matching losses of a game.

    Args:
        space: phi, extractors of the critic's features among them.
        discrepancies: The losses, without data sides of their own.
        raised: Whether they are raised, as the critic does, or lowered.
    """

    def __init__(
        self, space: FeatureSpace, discrepancies: Sequence[Discrepancy], *, raised: bool = False
    ) -> None:
        self.space = space
        self.discrepancies = list(discrepancies)
        self.raised = raised
        # A critic may raise what it alone sees: other extractors then have nothing to do.
        self.seen = {name for one in self.discrepancies for name in one.names(space)}

    def summarise(
        self,
        play: Play,
        critic: Critic,
        whole: Sequence[Summary] | None = None,
        *,
        constant: bool,
        again: bool = False,
    ) -> list[Summary]:
        """Summarise both sides of a play for each loss: data, model, data, model, ...

        Args:
            play: One chunk.
            critic: Who plays: it may summarise a side by itself.
            whole: The summaries of earlier chunks, whose pivots are taken.
            constant: Whether images have no gradient, so that the critic's features alone have one.
            again: Whether it is the second time, and the data teach nobody: what is `whole` then stands
                for theirs.
        """
        sides = [
            _Seen(self.space, side, critic, constant, self.seen) for side in play.sides.values()
        ]
        # A critic that summarises by itself may draw random numbers, of both sides in order.
        kept = again and not summarises(critic)
        summaries: list[Summary] = []
        for index, discrepancy in enumerate(self.discrepancies):
            first, other = whole[SIDES * index :][:SIDES] if whole else (None, None)
            real = first if kept else None
            if real is None:
                real = sides[0].summary(discrepancy, discrepancy.loss.summarise_data, first)
            like: Summary | None = real if first is None else first
            if not isinstance(like, discrepancy.loss.summary):
                like = other
            summaries += [real, sides[1].summary(discrepancy, discrepancy.loss.summarise, like)]
        return summaries

    def compare(self, summaries: Sequence[Summary], head: str) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what to minimise, and what to log of it.

        Args:
            summaries: Those of `summarise`, of the whole batch.
            head: What the sum is called in the log.
        """
        rows = []
        for index, discrepancy in enumerate(self.discrepancies):
            data, model = summaries[SIDES * index :][:SIDES]
            discrepancy.reference = discrepancy.loss.reference(data)
            row = discrepancy.compare(model)
            rows.append(row.negated() if self.raised else row)
        loss, shown = logged(head, self.discrepancies, rows)
        return sum_of([row.objective for row in rows]), {head: loss, **shown}

    def witness(
        self, summaries: Sequence[Summary], images: Tensor, have: Range, critic: Features
    ) -> Tensor:
        """Return the sum of the losses' witness functions, factors included, (N,).

        Args:
            summaries: Those of `summarise`, of the whole batch.
            images: Where.
            have: The range of their values.
            critic: What the critic makes of them.
        """
        features = self.space(images, have, critic, self.seen)
        values = []
        for index, discrepancy in enumerate(self.discrepancies):
            data, model = summaries[SIDES * index :][:SIDES]
            loss = discrepancy.loss
            own = discrepancy.seen(features, self.space)
            value = loss.witness(own, loss.reference(data), loss.statistics(model))
            values.append(discrepancy.factor * value)
        return torch.stack(values).sum(0)


@dataclass
class _Seen:
    """A side as the losses of a contest see it; features are made when the first of them asks.

    Attributes:
        space: phi.
        side: The side.
        critic: Who plays.
        constant: Whether images have no gradient.
        names: The extractors that any of the losses looks at.
    """

    space: FeatureSpace
    side: Side
    critic: Critic
    constant: bool
    names: Collection[str]

    @cached_property
    def features(self) -> Features:
        """Those of all extractors that are looked at."""
        images = self.side.images.detach() if self.constant else self.side.images
        critic = self.side.features if set(self.space.learned) & set(self.names) else None
        features: Features = self.space(images, self.critic.range, critic, self.names)
        return features

    def summary(
        self,
        discrepancy: Discrepancy,
        summarise: Callable[[Features, Summary | None], Summary],
        like: Summary | None,
    ) -> Summary:
        """Return the critic's own summary where it has one, the loss's otherwise."""
        names = discrepancy.names(self.space)
        if summarises(self.critic) and set(names) & set(self.space.learned):
            own = self.critic.summarise_side(self.side, like)
            if own is not None:
                for extractor in self.space.extractors:
                    if isinstance(extractor, Extractor) and extractor.sees == "critic":
                        check_summary(own, self.critic, discrepancy.loss, names, extractor)
                return own
        return summarise(discrepancy.seen(self.features, self.space), like)


def summarises(critic: Critic) -> bool:
    """Say whether a critic summarises sides by itself: in gradients of its weights, it may be."""
    return type(critic).summarise_side is not Critic.summarise_side


def check_summary(
    summary: Summary,
    critic: Critic,
    loss: MatchingLoss,
    extractors: Sequence[str],
    learned: Extractor,
) -> None:
    """Refuse a critic's own summary beside other features, of some layers, or of no loss's class.

    Args:
        summary: What the critic makes of a side.
        critic: The critic.
        loss: Who is given it.
        extractors: The names of the extractors whose features the loss looks at.
        learned: The one of them that has the critic's.

    Raises:
        Incompatible: In one sentence that says what to type instead.
    """
    if len(extractors) > 1:
        raise Incompatible(
            f"{type(critic).__name__} summarises a side by itself, which is put beside the features of "
            "no other extractor; add balance=equal to the loss, or type --extractor critic alone"
        )
    layers = getattr(learned, "layers", ("all",))
    if tuple(layers) != ("all",):
        raise Incompatible(
            f"{type(critic).__name__} summarises a side by itself, and layers={'+'.join(layers)} "
            "chooses nothing of that; type --extractor critic, and choose by the options of the critic"
        )
    wanted = (loss.summary, loss.data_summary)
    if not isinstance(summary, wanted):
        raise Incompatible(
            f"{type(critic).__name__} summarises a side as {type(summary).__name__}, and "
            f"{type(loss).__name__} compares {wanted[0].__name__}; type another --loss, such as "
            "moments,covariance=none"
        )
