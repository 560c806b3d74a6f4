"""Small parts to train with: float64 networks with batch norm, dropout and spectral norm."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gentk.engine.randomness import Draws
from gentk.feature_space import FeatureSpace
from gentk.interfaces import Extractor, Features, Generator, ImageShape
from gentk.prior import Prior
from gentk.statistics import summarise_stream
from gentk_averages.ama import AdamMovingAverage
from gentk_moments.loss import MomentsLoss

IMAGE = ImageShape(2, 4, 4)


class TinyGenerator(Generator):
    """A float64 network whose step depends on batch statistics, random masks and buffers."""

    def __init__(self, *, norm: bool = True, dropout: float = 0.3, spectral: bool = True) -> None:
        super().__init__()
        self.image, self.prior, self.range = IMAGE, Prior("normal", 5), "signed"
        first: nn.Module = nn.Linear(5, 12)
        self.first = nn.utils.parametrizations.spectral_norm(first) if spectral else first
        self.norm = nn.BatchNorm1d(12) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(12, 32)
        self.double()

    def forward(self, latents: Tensor) -> Tensor:
        hidden = self.dropout(torch.relu(self.norm(self.first(latents.double()))))
        return torch.tanh(self.last(hidden)).unflatten(1, IMAGE)


class TinyExtractor(Extractor):
    """Two layers of fixed random features, float64."""

    def __init__(self) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(1)
        self.channels = None
        self.weight = nn.Parameter(torch.randn(6, 2, 3, 3, generator=draw, dtype=torch.float64))
        self.freeze()

    def forward(self, images: Tensor) -> Features:
        maps = torch.relu(nn.functional.conv2d(images, self.weight, padding=1))
        return {"maps": maps, "vector": maps.mean((2, 3)) ** 2}

    def fingerprint(self) -> str:
        return "tiny"


def space() -> FeatureSpace:
    """The tiny feature space."""
    return FeatureSpace({"tiny": TinyExtractor()}, IMAGE.channels)


def parts(**options: object):
    """Generator, space, loss, estimator (not started), data summary, all seeded."""
    torch.manual_seed(0)
    phi, loss = space(), MomentsLoss()
    images = torch.rand(40, *IMAGE, dtype=torch.float64)
    data = summarise_stream(iter(images.split(10)), phi, loss)
    return TinyGenerator(**options), phi, loss, AdamMovingAverage(lr=1e-2), data


def passes(generator: Generator, sizes: list[int], step: int = 1) -> Iterator[Tensor]:
    """What a step generates in chunks: latents are drawn whole, each pass has its random state."""
    draws = Draws(0, torch.device("cpu"))
    draws.steps = step
    for index, latents in enumerate(generator.prior.draw(sum(sizes)).split(sizes)):
        with draws.of("chunk", index):
            images = generator(latents)
        yield images
