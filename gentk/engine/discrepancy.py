"""Discrepancies: one loss of a matching step, with the estimator and the data side that are its own.

    features -> Summary -> statistics -> estimator -> loss, times `factor`.

Several are computed of one pass of the extractors; their sum is minimised, so the gradient of a step is
the sum of their gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field

import torch
from torch import Tensor

from ..events import OBSERVED
from ..feature_space import FeatureSpace
from ..interfaces import Estimator, Features, MatchingLoss, Statistics, total
from ..summary import Summary

__all__ = ["Compared", "Discrepancy", "logged", "sum_of"]


@dataclass(frozen=True)
class Compared:
    """What came of comparing a step's statistics with the data's.

    Attributes:
        objective: The sum of the terms on tracked statistics: what is minimised.
        terms: The terms to log, detached.
        observed: What else the loss lets be seen, detached.
    """

    objective: Tensor
    terms: dict[str, Tensor]
    observed: dict[str, Tensor]

    def negated(self) -> Compared:
        """Return the same of a loss that is raised; what is observed is not of the loss."""
        terms = {name: -term for name, term in self.terms.items()}
        return Compared(-self.objective, terms, {})


@dataclass(eq=False)
class Discrepancy:
    """One loss of a matching step.

    Attributes:
        loss: D.
        estimator: M, started before the first step.
        data: The summary of the data; its pivot is the model's too. None where each step has its own
            (`engine.contest`).
        name: What its terms are called by beside those of others; empty for the only one.
        factor: What D is multiplied by.
        extractor: Whose features it sees; None for those of all.
        fresh: For losses whose data are samples: draws the data side of a step, of which `data` is then
            only the first.
        reference: The data's statistics and constants; empty where each step has its own.
    """

    loss: MatchingLoss
    estimator: Estimator
    data: Summary | None
    _: KW_ONLY
    name: str = ""
    factor: float = 1.0
    extractor: str | None = None
    fresh: Callable[[], Summary] | None = None
    reference: Statistics = field(init=False)

    def __post_init__(self) -> None:
        self.reference = {} if self.data is None else self.loss.reference(self.data)

    @property
    def labelled(self) -> bool:
        """Whether it needs the classes of samples."""
        return "labels" in self.loss.needs

    def refresh(self) -> None:
        """Draw the step's data, where they are a minibatch."""
        if self.fresh is not None:
            with torch.no_grad():
                self.reference = self.loss.reference(self.fresh())

    def summarise(
        self, features: Features, space: FeatureSpace, labels: Tensor | None, whole: Summary | None
    ) -> Summary:
        """Summarise one chunk of samples.

        Args:
            features: Of all extractors.
            space: Which they are.
            labels: (N, classes), a 1 at each sample's class.
            whole: The summary of earlier chunks of the step, whose pivot is taken where the data's
                summary is of another class.
        """
        features = self.seen(features, space)
        like = self.data if isinstance(self.data, self.loss.summary) else whole
        if self.labelled:
            return self.loss.summarise(features, like, labels)
        return self.loss.summarise(features, like)

    def seen(self, features: Features, space: FeatureSpace) -> Features:
        """Return what it looks at of the features of all extractors."""
        return features if self.extractor is None else space.part(features, self.extractor)

    def names(self, space: FeatureSpace) -> list[str]:
        """Return the extractors whose features it looks at."""
        return space.names if self.extractor is None else [self.extractor]

    def start(self, seed: Statistics | None, example: Callable[[], Statistics]) -> None:
        """Start the estimator.

        Args:
            seed: The model's statistics, if the estimator wants to start from them.
            example: Makes statistics of a few samples, for sets of samples that the data do not have.
        """
        names = self.tracked
        if not names:
            return
        absent = [name for name in names if name not in self.reference]
        known = {**self.reference, **(example() if absent else {}), **self.reference}
        own = None if seed is None else {name: seed[name] for name in names}
        kinds = self.loss.kinds()
        self.estimator.kinds = {name: kinds[name] for name in names}
        self.estimator.start({name: known[name] for name in names}, own)

    @property
    def tracked(self) -> list[str]:
        """The statistics that the estimator follows."""
        return [name for name in self.loss.kinds() if name not in self.loss.untracked]

    def compare(self, summary: Summary) -> Compared:
        """Return what to minimise and what to log.

        Logged are the terms on the batch's own statistics. A loss that draws to targets is logged as it
        is minimised: its targets follow from what is tracked, and those of a batch alone are others.
        """
        model = self.loss.statistics(summary)
        own = model
        if self.loss.untracked:
            own = {name: v for name, v in model.items() if name not in self.loss.untracked}
        tracked = self.estimator(own, self.reference) if own else own
        given = tracked if own is model else {**model, **tracked}
        minimised, observed = self.loss.compare(self.reference, given)
        minimised = self._weighed(minimised)
        if tracked is own or self.loss.targets:
            # Where nothing is tracked, too, what is minimised is what is shown.
            shown = minimised
        else:
            with torch.no_grad():
                batch = {name: value.detach() for name, value in model.items()}
                shown = self._weighed(self.loss(self.reference, batch))
        return Compared(total(minimised), _constants(shown), _constants(observed))

    def _weighed(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return terms times the factor."""
        if self.factor == 1:
            return terms
        return {name: self.factor * term for name, term in terms.items()}


def _constants(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: term.detach() for name, term in terms.items()}


def logged(
    head: str, discrepancies: Sequence[Discrepancy], rows: Sequence[Compared]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the sum of all terms, and what a log has of them.

    Args:
        head: What the sum is called: terms are `HEAD/TERM`, of several losses `HEAD/NAME/TERM` beside
            their sums `HEAD/NAME`.
        discrepancies: The losses.
        rows: What came of each.
    """
    losses = [total(row.terms) for row in rows]
    shown: dict[str, Tensor] = {}
    for discrepancy, loss, row in zip(discrepancies, losses, rows, strict=True):
        name = discrepancy.name
        place, own = (f"{head}/{name}", f"{name}/") if name else (head, "")
        shown |= {place: loss} if name else {}
        shown |= {f"{place}/{key}": term for key, term in row.terms.items()}
        shown |= {f"{OBSERVED}{own}{key}": seen for key, seen in row.observed.items()}
    return sum_of(losses), shown


def sum_of(values: list[Tensor]) -> Tensor:
    """Return the sum of some scalars, of one as it is."""
    return values[0] if len(values) == 1 else total(values)
