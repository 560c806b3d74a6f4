"""Contests: matching losses on the features of both sides of a game, the critic's among them.

    data   x     -> phi, critic -> Summary -> statistics
                                                         -> D
    model  G(z)  -> phi, critic -> Summary -> statistics

The generator lowers D, and the critic raises it or trains on a loss of its own.

Both sides are summarised in every step: features of a critic in training are others in the next. The
pivot that sums are about is the first chunk's of the data, a constant.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..feature_space import FeatureSpace
from ..interfaces import Features, Play, Range, Side
from ..summary import Summary
from .discrepancy import Discrepancy, logged, sum_of

__all__ = ["Contest"]

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

    def summarise(
        self,
        play: Play,
        have: Range,
        whole: Sequence[Summary] | None = None,
        *,
        constant: bool,
    ) -> list[Summary]:
        """Summarise both sides of a play for each loss: data, model, data, model, ...

        Args:
            play: One chunk.
            have: The range of its images.
            whole: The summaries of earlier chunks, whose pivots are taken.
            constant: Whether images have no gradient, so that the critic's features alone have one.
        """
        data, model = (self._features(side, have, constant) for side in play.sides.values())
        summaries: list[Summary] = []
        for index, discrepancy in enumerate(self.discrepancies):
            loss = discrepancy.loss
            first, other = whole[SIDES * index :][:SIDES] if whole else (None, None)
            real = loss.summarise_data(discrepancy.seen(data, self.space), first)
            like: Summary | None = real if first is None else first
            if not isinstance(like, loss.summary):
                like = other
            summaries += [real, loss.summarise(discrepancy.seen(model, self.space), like)]
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

    def _features(self, side: Side, have: Range, constant: bool) -> Features:
        images = side.images.detach() if constant else side.images
        features: Features = self.space(images, have, side.features if self.space.learned else None)
        return features
