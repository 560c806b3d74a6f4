"""How the networks start."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gentk.interfaces import ImageShape
from gentk_nets.dcgan import DCGANGenerator
from gentk_nets.dcgan_encoder import DCGANEncoder
from gentk_nets.mlp import MLPGenerator
from gentk_nets.mlp_encoder import MLPEncoder
from gentk_nets.resnet import ResNetGenerator
from gentk_nets.vgg_encoder import VGGEncoder

Convolution = nn.Conv2d | nn.ConvTranspose2d


def assert_std(values: Tensor, std: float) -> None:
    """Hold the mean and standard deviation of N(0, std^2) draws to five standard errors."""
    error = std / sqrt(values.numel())
    assert abs(values.mean().item()) < 5 * error
    assert abs(values.std().item() - std) < 5 * error / sqrt(2) + 0.01 * std


@pytest.mark.parametrize(
    ("build", "sizes"),
    [
        (lambda image: MLPGenerator(image=image, latent=50), [50, 64, 256, 256, 1024]),
        (lambda image: MLPGenerator(image=image, activation="tanh", widths=(9,)), [100, 9]),
        (lambda image: MLPEncoder(image=image, latent=32, dropout=(0.2, 0.5)), [784, 1024]),
    ],
)
def test_mlp_weights_have_variance_one_over_fan_in(
    build: Callable[[ImageShape], nn.Module], sizes: list[int]
) -> None:
    """MLP weights start as N(0, 1/fan_in), biases at zero."""
    torch.manual_seed(0)
    linears = [m for m in build(ImageShape(1, 28, 28)).modules() if isinstance(m, nn.Linear)]
    assert [m.in_features for m in linears] == sizes
    for linear in linears:
        assert_std(linear.weight, linear.in_features**-0.5)
        assert not linear.bias.any()


@pytest.mark.parametrize("side", [32, 48, 64])
@pytest.mark.parametrize("kind", [DCGANGenerator, DCGANEncoder])
def test_dcgan_weights_have_std_2_percent(kind: Any, side: int) -> None:
    """DCGAN convolutions start as N(0, 0.02^2) without bias, batch norm as N(1, 0.02^2) and 0."""
    torch.manual_seed(0)
    network = kind(image=ImageShape(3, side, side), latent=100)
    for module in network.modules():
        if isinstance(module, Convolution):
            assert_std(module.weight, 0.02)
            assert module.bias is None
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert_std(torch.cat([m.weight for m in norms]) - 1, 0.02)
    assert not torch.cat([m.bias for m in norms]).any()


def test_resnet_weights_are_xavier_uniform() -> None:
    """ResNet convolutions start U(-a, a) with a^2 = 6 / (fan_in + fan_out), batch norm at 1, 0."""
    torch.manual_seed(0)
    generator = ResNetGenerator(image=ImageShape(3, 32, 32))
    for name, module in generator.named_modules():
        if isinstance(module, Convolution):
            weight = module.weight
            fans = (weight.shape[0] + weight.shape[1]) * weight[0, 0].numel()
            bound = sqrt(6 / fans)
            assert 0.99 * bound < weight.abs().max() <= bound, name
            assert abs(weight.std().item() * sqrt(3) / bound - 1) < 0.05, name
            assert (module.bias is None) == (name == "first")
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.eq(1).all()
            assert module.bias.eq(0).all()


def test_vgg_weights_are_those_of_torchvision() -> None:
    """VGG convolutions start as N(0, 2 / fan_out) with zero biases, batch norm at 1, 0."""
    torch.manual_seed(0)
    encoder = VGGEncoder(image=ImageShape(3, 32, 32), latent=10)
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            assert_std(module.weight, sqrt(2 / (9 * module.out_channels)))
            assert module.bias is not None
            assert not module.bias.any()
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.eq(1).all()
            assert module.bias.eq(0).all()
