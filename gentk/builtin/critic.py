"""The extractor of the features that a run's own critic makes: they are trained with it."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..errors import UnknownName
from ..interfaces import Extractor, Features

__all__ = ["CriticFeatures"]


class CriticFeatures(Extractor):
    """phi(x) = the features of the run's own critic, in training as it is.

    A matching loss on them is a contest: the generator lowers it and the critic raises it, or trains on
    a loss of its own (`[phase.critic] loss`). Both sides of the comparison are minibatches of the step;
    there is nothing to be cached, and no estimator follows them from step to step.

    Args:
        layers: `all`, or names of the critic's features, joined with `+`.

    Raises:
        UnknownName: The critic has no such features.

    Source: C.-L. Li, W.-C. Chang, Y. Cheng, Y. Yang, B. Poczos, "MMD GAN: Towards Deeper Understanding
    of Moment Matching Network", NIPS 2017, arXiv:1705.08584; T. Salimans et al., "Improved Techniques
    for Training GANs", NIPS 2016, arXiv:1606.03498, section 3.1.
    """

    sees: ClassVar[Literal["images", "samples", "critic"]] = "critic"
    channels = None

    def __init__(self, *, layers: tuple[str, ...] = ("all",)) -> None:
        super().__init__()
        self.layers = tuple(layers)

    def forward(self, features: Features) -> Features:  # type: ignore[override]
        """Return the layers that were asked for, of `features`, all that the critic has."""
        if self.layers == ("all",):
            return features
        for name in self.layers:
            if name not in features:
                raise UnknownName(
                    f"the critic has no features {name!r}; type "
                    f"--extractor critic,layers={'+'.join(features)}"
                )
        return {name: features[name] for name in self.layers}

    def fingerprint(self) -> str:
        """Return which layers they are: weights of a critic in training decide nothing."""
        return f"critic-1 {'+'.join(self.layers)}"
