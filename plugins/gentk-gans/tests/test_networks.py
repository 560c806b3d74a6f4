"""The networks: parameter counts, check values, what is normalised."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import ImageShape
from gentk.spectral import SpectralNorm
from gentk_gans.blocks import DownBlock, FirstBlock, UpBlock
from gentk_gans.cnn import CNNCritic, CNNGenerator
from gentk_gans.resnet import ResNetCritic, ResNetGenerator

COLOUR = ImageShape(3, 32, 32)


def count(network: torch.nn.Module) -> int:
    """The number of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (lambda: ResNetGenerator(image=COLOUR), 4_276_739),
        (lambda: ResNetCritic(image=COLOUR, latent=128), 1_053_824),
        (lambda: ResNetGenerator(image=COLOUR, width=128), 1_204_483),
        (
            lambda: ResNetCritic(image=COLOUR, latent=128, spectral=False, pool="mean", bias=True),
            1_053_825,
        ),
    ],
    ids=["SN-GAN generator", "SN-GAN critic", "WGAN-GP generator", "WGAN-GP critic"],
)
def test_parameters_are_as_many_as_published(network, expected):
    """The pairs for CIFAR-10; spectral normalisation adds buffers only."""
    assert count(network()) == expected


@pytest.mark.parametrize("side", [32, 48, 64])
def test_the_cnn_pair_fits_its_sizes(side):
    """A sample goes through the critic, at each size there is."""
    image = ImageShape(3, side, side)
    generator, critic = (
        CNNGenerator(image=image, width=4),
        CNNCritic(image=image, latent=128, width=4),
    )
    samples = generator(generator.prior.draw(3, torch.device("cpu")))

    assert samples.shape == (3, *image) and samples.abs().max() <= 1
    assert critic(samples)["x"].shape == (3,)
    assert critic.features(samples)["pooled"].shape == (3, 32)


def test_blocks_are_their_formulas():
    """Each against its formula, written with plain functions in float64."""
    torch.manual_seed(0)
    maps, images = torch.randn(2, 5, 6, 6).double(), torch.randn(2, 3, 6, 6).double()
    relu, halve = functional.relu, lambda x: functional.avg_pool2d(x, 2)

    down = DownBlock(5, halves=True, spectral=False).double()
    expected = halve(down.conv2(relu(down.conv1(relu(maps))))) + halve(down.bypass(maps))
    torch.testing.assert_close(down(maps), expected)
    plain = DownBlock(5, halves=False, spectral=False).double()
    torch.testing.assert_close(plain(maps), plain.conv2(relu(plain.conv1(relu(maps)))) + maps)
    first = FirstBlock(3, 5, spectral=False).double()
    expected = halve(first.conv2(relu(first.conv1(images)))) + first.bypass(halve(images))
    torch.testing.assert_close(first(images), expected)
    up = UpBlock(5).double().eval()

    def double(x: torch.Tensor) -> torch.Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    main = up.conv2(relu(up.norm2(up.conv1(double(relu(up.norm1(maps)))))))
    torch.testing.assert_close(up(maps), main + up.bypass(double(maps)))


@pytest.mark.parametrize("make", [ResNetCritic, CNNCritic])
def test_every_weight_of_a_critic_is_normalised_or_none(make):
    """Spectral normalisation is of all convolutions and the last layer, and `spectral=false` of none."""

    def normalised(spectral: bool) -> tuple[int, int]:
        critic = make(image=COLOUR, latent=8, width=4, spectral=spectral)
        layers = [m for m in critic.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
        return sum(isinstance(m, SpectralNorm) for m in critic.modules()), len(layers)

    norms, layers = normalised(True)
    assert norms == layers > 5
    assert normalised(False)[0] == 0


def test_the_pool_is_a_sum_or_a_mean():
    """The sum is 64 times the mean over an 8 x 8 map."""
    torch.manual_seed(0)
    images = torch.randn(2, *COLOUR)
    total = ResNetCritic(image=COLOUR, latent=8, width=4, spectral=False)
    mean = ResNetCritic(image=COLOUR, latent=8, width=4, spectral=False, pool="mean")
    mean.load_state_dict(total.state_dict())

    pooled = total.features(images)["pooled"]
    torch.testing.assert_close(pooled, 64 * mean.features(images)["pooled"])
    torch.testing.assert_close(total(images)["x"], total.last(pooled)[:, 0])


@pytest.mark.parametrize("make", [ResNetGenerator, CNNGenerator])
def test_unfit_sizes_and_options_are_refused(make):
    """One sentence each."""
    with pytest.raises(Incompatible, match="32"):
        make(image=ImageShape(3, 20, 20))
    with pytest.raises(BadOption, match="width"):
        make(image=COLOUR, width=0)
