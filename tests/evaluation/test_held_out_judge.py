"""The judge of docs/results: it ranks real, trained and noise, and a pattern does not fool it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gentk.data import to_unit
from gentk.evaluation.judges import DEFAULT_JUDGE
from gentk.registry import Registry
from gentk.runs.images import open_data
from gentk.summary import pooled
from gentk_moments.frechet import FrechetDistance

CIFAR = Path(__file__).parents[3] / "shared/data/cifar10-train.parquet"
DATA = f"parquet:{CIFAR},limit=750"
COUNT = 250
TRAINED_ON = "timm:tf_efficientnet_lite0,last=1"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CIFAR.exists(), reason=f"there are no images in {CIFAR}"),
    pytest.mark.usefixtures("one_thread"),
]


class Place:
    """The Frechet distance to real images in the features of an extractor."""

    def __init__(self, extractor: str, real: Tensor) -> None:
        self.phi = Registry().build("extractor", extractor)[0]
        self.metric = FrechetDistance()
        self.real = self.metric.summarise(self.features(real))

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Pooled features of images, (N, D)."""
        parts = [pooled(self.phi(part)) for part in images.split(50)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    @torch.no_grad()
    def __call__(self, images: Tensor) -> float:
        summary = self.metric.summarise(self.features(images), self.real)
        return self.metric.values(self.real, summary)[0].value


@pytest.fixture(scope="module")
def images():
    """Two halves of real images, samples of an affine generator trained to its end, and noise.

    The end is known: x = m + L z with the mean m and the covariance L L^T of the pixels.
    """
    real = open_data(DATA, Registry())
    pixels = to_unit(real.batch(range(3 * COUNT)))
    rows = pixels[COUNT:].flatten(1)
    _, sizes, directions = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    draw = torch.Generator().manual_seed(0)
    z = torch.randn(COUNT, len(sizes), generator=draw) / (len(rows) - 1) ** 0.5
    trained = (rows.mean(0) + (z * sizes) @ directions).clamp(0, 1).view(COUNT, 3, 32, 32)
    noise = torch.rand(COUNT, 3, 32, 32, generator=draw)
    return {
        "reference": pixels[:COUNT],
        "real": pixels[COUNT : 2 * COUNT],
        "trained": trained,
        "noise": noise,
    }


@pytest.fixture(scope="module")
def judge(images):
    """The judge, with the reference seen."""
    (text,) = DEFAULT_JUDGE
    return Place(text, images["reference"])


@pytest.fixture(scope="module")
def training(images):
    """The distance that runs are trained on, with the reference seen."""
    return Place(TRAINED_ON, images["reference"])


@pytest.fixture(scope="module")
def goal(images, training):
    """Means of the features that a pattern descends to."""
    return {name: v.mean(0) for name, v in training.features(images["reference"]).items()}


@pytest.fixture(scope="module")
def plain(images, judge, training):
    """How far samples without a pattern are, by the training and by the judge."""
    return training(images["trained"]), judge(images["trained"])


def test_it_ranks_real_before_trained_before_noise(images, judge):
    """The other half of the real images is nearest, and noise farthest."""
    real, trained, noise = (judge(images[name]) for name in ("real", "trained", "noise"))
    assert 1.2 * real < trained < noise / 1.1


def waves() -> Tensor:
    """Ninety-six waves of low frequency, (96, 32, 32): of three channels 288 parameters."""
    place = torch.arange(32.0)
    rows = [
        wave(2 * math.pi * (u * place[:, None] + v * place) / 32)
        for u in range(7)
        for v in range(7)
        for wave in (torch.cos, torch.sin)
    ]
    return torch.stack(rows[2:])


@pytest.mark.parametrize("amplitude", [0.02, 0.05, 0.1])
def test_a_pattern_that_fools_the_training_does_not_fool_it(
    images, judge, training, goal, plain, amplitude
):
    """One pattern on all samples, found by descent on the distance that runs are trained on, lowers that
    distance; by the judge samples with it are no nearer than without.
    """
    samples, basis = images["trained"], waves()
    draw = torch.Generator().manual_seed(0)
    weights = (0.01 * torch.randn(3, len(basis), generator=draw)).requires_grad_()
    optimizer = torch.optim.Adam([weights], lr=0.02)

    def fooling(some: Tensor) -> Tensor:
        pattern = amplitude * torch.tanh(torch.einsum("ck,khw->chw", weights, basis))
        return (some + pattern).clamp(0, 1)

    for _ in range(15):
        chosen = samples[torch.randint(COUNT, (32,), generator=draw)]
        features = training.features(fooling(chosen))
        gap = torch.stack([(v.mean(0) - goal[k]).square().sum() for k, v in features.items()]).sum()
        optimizer.zero_grad()
        gap.backward()
        optimizer.step()
    with torch.no_grad():
        fooled = fooling(samples)

    assert training(fooled) < plain[0]
    assert judge(fooled) >= plain[1]
