"""Covariances: which matrices a loss of moments keeps, one of all features, one a layer, or variances.

Whoever compares means and covariances is spared how features become sums, what the matrices are called,
and how many of them there are, which is known once features have been seen.
"""

from __future__ import annotations

from typing import Literal

from ..errors import Incompatible
from ..interfaces import Features, StatisticKind, Statistics, Summary
from .layerwise import LayerMoments
from .moments import MomentSums, deviations
from .samples import Samples

__all__ = ["Covariances"]


class Covariances:
    """The second moments of a loss: which there are, and what they are called.

    Args:
        form: `full` is one matrix of all features, `layers` one of each layer, `diagonal` variances.
        largest: The largest number of features of one matrix.
        owner: Who takes no more, in the sentence that says so: `loss 'fd'`.
        advice: What to type instead, the end of that sentence.

    Attributes:
        summary: The class of their sums.
        preparation: How many images `MatchingLoss.prepare` must see.
        names: `covariance`, or `covariance/INDEX` of each layer.
    """

    def __init__(
        self, form: Literal["full", "layers", "diagonal"], largest: int, owner: str, advice: str
    ) -> None:
        self.form = form
        self.largest = largest
        self.owner, self.advice = owner, advice
        self.summary: type[Summary] = LayerMoments if form == "layers" else MomentSums
        self.preparation = 2 if form == "layers" else 0
        self.names = ["covariance"]

    def prepare(self, features: Features) -> None:
        """Count the layers."""
        if self.form == "layers":
            self.names = [f"covariance/{index}" for index in range(len(features))]

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `mean`, and the covariances, which stay positive."""
        kinds: dict[str, StatisticKind] = {"mean": "real"}
        return kinds | dict.fromkeys(self.names, "psd")

    def of(self, features: Features, like: Summary | None = None) -> MomentSums | LayerMoments:
        """Return the sums of one chunk, differentiably.

        Args:
            features: Layer -> (N, ...).
            like: A summary whose pivots to take.

        Raises:
            Incompatible: There are too many features for a matrix.
        """
        if self.form == "diagonal":
            return MomentSums.of(features, "diagonal", like)
        sizes = [value[0].numel() for value in features.values()]
        most = max(sizes) if self.form == "layers" else sum(sizes)
        if most > self.largest:
            raise Incompatible(
                f"{self.owner} takes at most {self.largest} features at once, here are {most}; "
                f"{self.advice}"
            )
        if self.form == "layers":
            return LayerMoments.of(features, like)
        return MomentSums.of(features, "full", like)

    def statistics(self, summary: Summary, *, unbiased: bool = True) -> Statistics:
        """Return `mean` (D,), all layers one after another, and each covariance, float64.

        Args:
            summary: The sums.
            unbiased: Divide by n - 1 rather than by n.
        """
        if isinstance(summary, LayerMoments):
            matrices = summary.covariances(unbiased)
        else:
            assert isinstance(summary, MomentSums)
            matrices = [summary.covariance(unbiased)]
        return {"mean": summary.mean(), **dict(zip(self.names, matrices, strict=True))}

    def of_samples(self, samples: Samples) -> Statistics:
        """Return the same statistics of samples that are all at hand: unbiased, without a gradient.

        Whoever keeps samples needs no sums that could be added to others': of a matrix there is one
        pass rather than three, in the type of the samples. Its deviations are taken in float64, so that
        an entry is as near as they are.
        """
        if self.form == "diagonal":
            rows = {"samples": samples.rows.detach()}
            return self.statistics(MomentSums.of(rows, "diagonal"))
        mean, rest = deviations(samples.rows.detach())
        sizes = samples.sizes if self.form == "layers" else [rest.shape[1]]
        matrices = [part.T @ part for part in rest.split(sizes, dim=1)]
        return {"mean": mean, **dict(zip(self.names, matrices, strict=True))}
