"""Residual blocks without strides: maps are doubled before, or halved after, their convolutions."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from gentk.spectral import normalised

__all__ = ["DownBlock", "FirstBlock", "UpBlock", "convolution"]


def convolution(before: int, after: int, size: int, *, spectral: bool = False) -> nn.Conv2d:
    """Return a convolution that keeps the side, with weights as WGAN-GP and SN-GAN start them.

    On the main path (3x3) Glorot-uniform times sqrt(2), which is WGAN-GP's "He" start: variance
    4 / (fan_in + fan_out). On a bypass (1x1) Glorot-uniform. Biases are 0.
    """
    layer = nn.Conv2d(before, after, size, padding=size // 2)
    nn.init.xavier_uniform_(layer.weight, gain=math.sqrt(2) if size > 1 else 1.0)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return normalised(layer, spectral)


class UpBlock(nn.Module):
    """A residual block of a generator that doubles the side, up(.) being nearest-neighbour upsampling.

    y = conv(relu(norm(conv(up(relu(norm(x))))))) + up(bypass(x))

    Args:
        width: Channels of x and y.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv1, self.conv2 = convolution(width, width, 3), convolution(width, width, 3)
        self.bypass = convolution(width, width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (N, width, 2H, 2W) for `maps` (N, width, H, W)."""
        hidden = functional.interpolate(functional.relu(self.norm1(maps)), scale_factor=2)
        hidden = self.conv2(functional.relu(self.norm2(self.conv1(hidden))))
        # A 1x1 convolution commutes with upsampling: before it, it costs a quarter.
        doubled: Tensor = hidden + functional.interpolate(self.bypass(maps), scale_factor=2)
        return doubled


class DownBlock(nn.Module):
    """A residual block of a critic, halving the side if it is asked to; halve(.) is 2x2 mean pooling.

    y = halve(conv(relu(conv(relu(x))))) + halve(bypass(x)),    or without halve and bypass

    Args:
        width: Channels of x and y.
        halves: Whether it halves the side.
        spectral: Whether its weights are spectrally normalised.
    """

    def __init__(self, width: int, *, halves: bool, spectral: bool) -> None:
        super().__init__()
        self.conv1 = convolution(width, width, 3, spectral=spectral)
        self.conv2 = convolution(width, width, 3, spectral=spectral)
        self.bypass = convolution(width, width, 1, spectral=spectral) if halves else None

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (N, width, H / 2, W / 2), or (N, width, H, W)."""
        hidden = self.conv2(functional.relu(self.conv1(functional.relu(maps))))
        if self.bypass is None:
            same: Tensor = hidden + maps
            return same
        halved: Tensor = functional.avg_pool2d(hidden + self.bypass(maps), 2)
        return halved


class FirstBlock(nn.Module):
    """The first block of a critic: there is no ReLU on pixels, and the bypass is of halved pixels.

    y = halve(conv(relu(conv(x)))) + bypass(halve(x))

    Args:
        channels: Channels of x.
        width: Channels of y.
        spectral: Whether its weights are spectrally normalised.
    """

    def __init__(self, channels: int, width: int, *, spectral: bool) -> None:
        super().__init__()
        self.conv1 = convolution(channels, width, 3, spectral=spectral)
        self.conv2 = convolution(width, width, 3, spectral=spectral)
        self.bypass = convolution(channels, width, 1, spectral=spectral)

    def forward(self, images: Tensor) -> Tensor:
        """Return maps (N, width, H / 2, W / 2) for `images` (N, channels, H, W)."""
        hidden = self.conv2(functional.relu(self.conv1(images)))
        pooled: Tensor = functional.avg_pool2d(hidden, 2)
        bypass: Tensor = self.bypass(functional.avg_pool2d(images, 2))
        return pooled + bypass
