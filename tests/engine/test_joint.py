"""A known joint: what G and E of a joint game learn where the answer is known.

Points in the plane stand for images, two channels of one pixel. At the optimum of the game G(z) has the
data's law and E is G's inverse; on a Gaussian E(G(z)) is therefore z. Networks are BiGAN's, fully
connected, with batch norms; weights are averaged and the rate falls to nothing, as in real runs.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gentk.data import ImageSet, MemoryPixels, Minibatches
from gentk.engine import Adversarial, WeightAverage
from gentk.interfaces import ImageShape
from gentk.registry import Registry

POINT = ImageShape(2, 1, 1)
COUNT, BATCH = 20_000, 256
SIGMA, RADIUS, WIDTH = 0.3, 0.6, 0.05

GAMES = {
    "bigan": ("bigan,widths=64+64,bias=true,eps=1e-5,range=signed", "logistic,weight=0.5"),
    "bigbigan": ("fhj,trunk=mlp,hidden=64,blocks=1", "hinge"),
}
"""Composition -> critic and loss."""
ON_GAUSSIAN = {"bigan": 1300, "bigbigan": 500}
ON_RING = {"bigan": 1000, "bigbigan": 1000}
"""Composition -> steps until it is there."""
# Points of a plane want biases, which images do not: BiGAN's published networks have none.
GENERATOR = "bigan,latent=2,prior=normal,widths=64+64,bias=true,eps=1e-5,output=tanh"
ENCODER = "bigan,widths=64+64,bias=true,eps=1e-5,range=signed,output=linear"


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def gaussian(draw: torch.Generator) -> torch.Tensor:
    """N(0, SIGMA^2) in both coordinates."""
    return torch.randn(COUNT, 2, generator=draw) * SIGMA


def ring(draw: torch.Generator) -> torch.Tensor:
    """All angles alike, the radius near RADIUS."""
    angle = torch.rand(COUNT, generator=draw) * 2 * math.pi
    radius = RADIUS + WIDTH * torch.randn(COUNT, generator=draw)
    return radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)


def adam(module: nn.Module) -> torch.optim.Adam:
    """As in runs: one fused update of all weights."""
    return torch.optim.Adam(module.parameters(), 1e-3, (0.5, 0.999), fused=True)


def trained(composition: str, points: torch.Tensor, steps: int) -> Adversarial:
    """Play the game: a critic's step, a step of generator and encoder, and so on."""
    critic, loss = GAMES[composition]
    pixels = ((points + 1) / 2 * 255).round().clamp(0, 255).to(torch.uint8)
    images = ImageSet(MemoryPixels(pixels[:, :, None, None]), name="points")
    names = Registry()
    torch.manual_seed(0)
    made = {
        "generator": names.build("generator", GENERATOR, image=POINT)[0],
        "encoder": names.build("encoder", ENCODER, image=POINT, latent=2)[0],
        "critic": names.build("critic", critic, image=POINT, latent=2)[0],
    }
    batches = Minibatches(images, BATCH, 0)
    game = Adversarial(
        made["generator"],
        made["critic"],
        names.build("loss", loss)[0],
        batches,
        made["encoder"],
        batch=BATCH,
    )
    players = nn.ModuleDict({name: made[name] for name in ("generator", "encoder")})
    average = WeightAverage(players, 0.99)
    turns = [
        (adam(made["critic"]), game.critic_step),
        (adam(players), game.generator_step),
    ]
    falls = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        for optimizer, _ in turns
    ]
    for _ in range(steps):
        for optimizer, step in turns:
            optimizer.zero_grad(set_to_none=True)
            step()
            optimizer.step()
        for fall in falls:
            fall.step()
        average.update()
    game.generator, game.encoder = average.module["generator"], average.module["encoder"]
    return game


def drawn(game: Adversarial, count: int = 4000) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents and the points they become, (count, 2) each."""
    z = game.generator.prior.draw(count)
    with torch.no_grad():
        return z, game.generator.eval()(z).flatten(1)


@pytest.mark.parametrize("composition", GAMES)
def test_on_a_gaussian_the_encoder_inverts_the_generator(composition):
    """G(z) has the mean and covariance of the data, and E(G(z)) correlates with z."""
    game = trained(
        composition, gaussian(torch.Generator().manual_seed(7)), ON_GAUSSIAN[composition]
    )
    z, points = drawn(game)
    with torch.no_grad():
        codes = game.encoder.eval()(points[:, :, None, None])

    assert points.mean(0).abs().max() < 0.4 * SIGMA
    torch.testing.assert_close(points.T.cov() / SIGMA**2, torch.eye(2), atol=0.4, rtol=0)
    for coordinate in range(2):
        pair = torch.stack([codes[:, coordinate], z[:, coordinate]])
        assert torch.corrcoef(pair)[0, 1] > 0.9


@pytest.mark.parametrize("composition", GAMES)
def test_on_a_ring_samples_lie_on_it_all_round(composition):
    """Radii are those of the data, and every eighth of the circle has its share."""
    game = trained(composition, ring(torch.Generator().manual_seed(7)), ON_RING[composition])
    _, points = drawn(game)
    radii = points.norm(dim=1)
    eighths = torch.atan2(points[:, 1], points[:, 0]).div(math.pi / 4).floor().long() + 4
    shares = torch.bincount(eighths.clamp(0, 7), minlength=8) / len(points)

    assert abs(radii.median() - RADIUS) < 2 * WIDTH
    assert ((radii - RADIUS).abs() < 4 * WIDTH).float().mean() > 0.75
    assert shares.min() > 0.04 and shares.max() < 0.25
