"""DCGAN's critic: its layers at each size, its norms, the decay of the last layer alone, refusals."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import ImageShape
from gentk_nets.dcgan_critic import DCGANCritic

SMALL = ImageShape(3, 32, 32)


def critic(image=SMALL, **options):
    """A narrow critic of the same weights each time."""
    torch.manual_seed(0)
    return DCGANCritic(image=image, latent=2, **{"width": 4, **options})


@pytest.mark.parametrize(
    ("side", "channels", "last"),
    [
        (32, [4, 8, 16], 4),
        (48, [4, 8, 16], 6),
        (64, [4, 8, 16, 32], 4),
        (128, [4, 8, 16, 32, 32], 4),
    ],
)
def test_blocks_halve_the_side_and_double_the_channels(side, channels, last):
    """Down to 4x4, or 6x6 of 48 px, and to eight times the width at most."""
    scores, features = critic(ImageShape(1, side, side)).judge(torch.rand(2, 1, side, side))
    assert scores["x"].shape == (2,)
    sides = [side >> k for k in range(1, len(channels) + 1)]
    assert sides[-1] == last
    assert [tuple(f.shape) for f in features.values()] == [
        (2, c, s, s) for c, s in zip(channels, sides, strict=True)
    ]


def test_the_score_is_linear_in_the_last_features():
    """It is w^T h + b, and w^T h without a bias."""
    for bias in (True, False):
        network = critic(bias=bias).double()
        scores, features = network.judge(torch.rand(3, 3, 32, 32, dtype=torch.float64))
        expected = features["layer3"].flatten(1) @ network.last.weight.flatten()
        if network.last.bias is not None:
            expected = expected + network.last.bias
        torch.testing.assert_close(scores["x"], expected)
        assert (network.last.bias is not None) == bias


def test_sizes_are_those_of_fisher_gans_critic():
    """64 channels, two more 3x3 layers: batch norm but after the first, no biases."""
    network = critic(width=64, extra=2, bias=False)
    convolutions = 3 * 64 * 16 + 2 * 64 * 64 * 9 + 64 * 128 * 16 + 128 * 256 * 16 + 256 * 16
    assert sum(p.numel() for p in network.parameters()) == convolutions + 2 * (64 + 64 + 128 + 256)


def test_without_norms_a_sample_does_not_see_its_neighbours():
    """A score is that of the sample alone, as gradient penalties need it; with norms it is not."""
    images = torch.rand(4, 3, 32, 32)
    for norm in (False, True):
        network = critic(norm=norm, extra=1)
        assert any(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == norm
        together = network(images)["x"][:2]
        apart = network(images[:2])["x"]
        assert torch.allclose(together, apart, atol=1e-6) != norm


def test_decay_is_weight_decay_of_the_last_layer_alone():
    """Its gradient is decay times w there, and nothing elsewhere; without one there is no term."""
    network = critic(decay=0.5)
    network.penalty()["decay"].backward()
    torch.testing.assert_close(network.last.weight.grad, 0.5 * network.last.weight.detach())
    assert [n for n, p in network.named_parameters() if p.grad is not None] == ["last.weight"]
    assert critic().penalty() == {}


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"width": 0}, BadOption, "width"),
        ({"extra": -1}, BadOption, "extra"),
        ({"decay": -1e-3}, BadOption, "decay"),
        ({"image": ImageShape(3, 44, 44)}, Incompatible, "size=48"),
        ({"image": ImageShape(3, 32, 64)}, Incompatible, "size=64"),
    ],
)
def test_what_it_cannot_be_is_refused_by_name(options, error, name):
    """One sentence that says what to type."""
    with pytest.raises(error, match=name):
        critic(**options)
