"""Partners: the smallest part of each kind, for a component under test to be run with."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data.arrays import ArrayRecords
from ..interfaces import (
    AdversarialLoss,
    Critic,
    Encoder,
    Extractor,
    Features,
    Generator,
    ImageShape,
    MatchingLoss,
    Play,
    Records,
    Scores,
    Source,
    StatisticKind,
    Statistics,
)
from ..plugins import Provided
from ..prior import Prior
from ..registry import Registry
from ..spec import Component
from ..summary import MomentSums, Samples, Summary
from ..version import DISTRIBUTION

__all__ = [
    "GAME",
    "NAME",
    "SAMPLES",
    "Colours",
    "Game",
    "LinearCritic",
    "LinearEncoder",
    "LinearGenerator",
    "MeanOfSamples",
    "Means",
    "with_partners",
]

NAME = "gentk-partner"
"""What a partner is called, whatever its kind; the loss compares means of features."""

SAMPLES, GAME = f"{NAME}-samples", f"{NAME}-game"
"""Two more losses: of statistics that are samples, and against a critic."""

LOGITS = f"{NAME}-logits"
"""An extractor of one vector an image, as a classifier's logits are."""

PARTS = (
    ("extractor", LOGITS, "Logits"),
    ("data", NAME, "Colours"),
    ("generator", NAME, "LinearGenerator"),
    ("encoder", NAME, "LinearEncoder"),
    ("critic", NAME, "LinearCritic"),
    ("loss", NAME, "Means"),
    ("loss", SAMPLES, "MeanOfSamples"),
    ("loss", GAME, "Game"),
)


def with_partners(registry: Registry) -> Registry:
    """Return a registry that knows the partners too."""
    own = [
        Provided(
            Component(kind=kind, name=name, target=f"{__name__}:{attribute}", summary="a partner"),
            DISTRIBUTION,
            "0",
        )
        for kind, name, attribute in PARTS
    ]
    return registry.beside(own)


class Colours(Source):
    """64 images of 32 x 32 pixels, noise about one colour each, in two classes."""

    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split."""
        draw = np.random.default_rng(split == "test")
        images = draw.random((64, 1, 1, 3)) * 0.6 + draw.random((64, 32, 32, 3)) * 0.4
        return ArrayRecords(images, labels=[i % 2 for i in range(64)], classes=["even", "odd"])


class LinearGenerator(Generator):
    """x = sigmoid(W z + b), of any shape."""

    def __init__(self, *, image: ImageShape, classes: int = 0) -> None:
        super().__init__()
        prior = Prior("normal", 4, classes=classes)
        self.image, self.prior, self.range = image, prior, "unit"
        self.linear = nn.Linear(4 + classes, image.channels * image.height * image.width)

    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, H, W)."""
        values: Tensor = self.linear(latents)
        return values.sigmoid().reshape(len(latents), *self.image)


class LinearEncoder(Encoder):
    """z = W x + b."""

    def __init__(self, *, image: ImageShape, latent: int) -> None:
        super().__init__()
        self.image, self.latent = image, latent
        self.linear = nn.Linear(image.channels * image.height * image.width, latent)

    def forward(self, images: Tensor) -> Tensor:
        """Return latents (N, latent)."""
        latents: Tensor = self.linear(images.flatten(1))
        return latents


class Logits(Extractor):
    """The mean of each channel: one vector an image."""

    range = "unit"
    channels = None

    def forward(self, images: Tensor) -> Features:
        """Return `logits`, (N, C)."""
        return {"logits": images.mean((2, 3))}

    def fingerprint(self) -> str:
        """Return what it is."""
        return LOGITS


class LinearCritic(Critic):
    """A linear score of the image and the latent, whose summands are its features `hidden`."""

    pairs = True

    def __init__(self, *, image: ImageShape, latent: int) -> None:
        super().__init__()
        self.image = image
        self.linear = nn.Linear(image.channels * image.height * image.width + latent, 1)

    def forward(self, images: Tensor, latents: Tensor | None = None) -> Scores:
        """Return the score `x`."""
        assert latents is not None
        return {"x": self.linear(torch.cat([images.flatten(1), latents], dim=1))[:, 0]}

    def features(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> Features:
        """Return `hidden`, what its score is the sum of."""
        assert latents is not None
        return {"hidden": torch.cat([images.flatten(1), latents], dim=1) * self.linear.weight}


class Means(MatchingLoss):
    """Squared distance of the means of features."""

    summary = MomentSums

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `mean` and, because an estimator may want several, `covariance`."""
        return {"mean": "real", "covariance": "real"}

    def summarise(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> MomentSums:
        """Return sums."""
        return MomentSums.of(features, "diagonal", like)

    def statistics(self, summary: Summary) -> Statistics:
        """Return the means and variances."""
        assert isinstance(summary, MomentSums)
        return {"mean": summary.mean(), "covariance": summary.covariance()}

    def __call__(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Compare whatever there is: what an estimator drops is for another check to say."""
        return self.forward(data, model)

    def forward(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return the squared distance of each."""
        return {name: (data[name] - model[name]).square().sum() for name in model}

    def fingerprint(self) -> str:
        """Return what is summarised."""
        return "partner"


class MeanOfSamples(MatchingLoss):
    """Squared distance of the means of two weighted sets of samples."""

    summary = Samples

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `samples`."""
        return {"samples": "samples"}

    def summarise(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Samples:
        """Return the samples."""
        return Samples.of(features)

    def statistics(self, summary: Summary) -> Statistics:
        """Return the samples."""
        assert isinstance(summary, Samples)
        return {"samples": summary.rows}

    def forward(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return the squared distance."""
        return {"mean": (_mean(data) - _mean(model)).square().sum()}

    def fingerprint(self) -> str:
        """Return what is summarised."""
        return "partner"


class Game(AdversarialLoss):
    """The hinge game, over all scores."""

    def critic_loss(self, play: Play) -> dict[str, Tensor]:
        """Return mean max(0, 1 - s) of the data and mean max(0, 1 + s) of the model."""
        return {
            "data": _average([functional.relu(1 - score) for score in play.data.scores.values()]),
            "model": _average([functional.relu(1 + score) for score in play.model.scores.values()]),
        }

    def generator_loss(self, play: Play) -> dict[str, Tensor]:
        """Return minus the mean score of the model and, for an encoder, the mean score of the data."""
        terms = {"model": -_average(list(play.model.scores.values()))}
        if play.pairs:
            terms["data"] = _average(list(play.data.scores.values()))
        return terms


def _average(scores: list[Tensor]) -> Tensor:
    return torch.stack([score.mean() for score in scores]).sum()


def _mean(statistics: Statistics) -> Tensor:
    rows = statistics["samples"].double()
    weights = statistics.get("weights")
    return rows.mean(0) if weights is None else weights.double() @ rows
