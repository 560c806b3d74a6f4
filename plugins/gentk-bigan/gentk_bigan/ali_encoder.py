"""The encoder of ALI."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from gentk.interfaces import Encoder, Features, ImageShape
from gentk.layers import numbered
from gentk.limits import square_of

from .start import small

__all__ = ["ALIEncoder"]

CONVOLUTIONS: Final = (
    (5, 1, 32),
    (4, 2, 64),
    (4, 1, 128),
    (4, 2, 256),
    (4, 1, 512),
    (1, 1, 512),
)
"""Kernel, stride, channels; no padding: 32, 28, 13, 10, 4, 1, 1 px."""


class ALIEncoder(Encoder):
    """z = mean(x) + exp(log_scale(x)) e, e ~ N(0, 1): convolutions, batch norm, leaky ReLU of slope 0.1.

    A draw in training, the mean in eval mode. Weights start as N(0, 0.01^2), biases 0.

    Args:
        image: Shape of the images: squares of 32 px.
        latent: Dimension of z.
        stochastic: Whether z is drawn; otherwise it is the mean.

    Raises:
        Incompatible: If the images have another size.

    Source: Dumoulin et al., Adversarially Learned Inference, 2017, arXiv:1606.00704, and its released
    code.
    """

    range = "unit"

    def __init__(self, *, image: ImageShape, latent: int, stochastic: bool = True) -> None:
        super().__init__()
        square_of("encoder 'ali'", image, (32,), "--encoder bigan")
        self.image = image
        self.latent = latent
        self.stochastic = stochastic
        before = image.channels
        blocks = []
        for kernel, stride, channels in CONVOLUTIONS:
            conv = nn.Conv2d(before, channels, kernel, stride=stride, bias=False)
            norm, leaky = nn.BatchNorm2d(channels), nn.LeakyReLU(0.1, inplace=True)
            blocks.append(nn.Sequential(conv, norm, leaky))
            before = channels
        self.blocks = nn.ModuleList(blocks)
        self.last = nn.Linear(before, 2 * latent if stochastic else latent)
        self.apply(small)

    def forward(self, images: Tensor) -> Tensor:
        """Return latents (N, latent) for `images` (N, C, H, W) in [0, 1]."""
        return self.features(images)["code"]

    def features(self, images: Tensor) -> Features:
        """Return the layers, `layer1` to `layer6`, (N, C, H, W), and `code`, (N, latent)."""
        layers, hidden = numbered(self.blocks, images)
        mean, scale = self._distribution(hidden)
        if scale is not None and self.training:
            mean = mean + scale * torch.randn_like(mean)
        return layers | {"code": mean}

    def distribution(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return mean and scale of z, (N, latent) each; no scale of a deterministic encoder."""
        _, hidden = numbered(self.blocks, images)
        return self._distribution(hidden)

    def _distribution(self, maps: Tensor) -> tuple[Tensor, Tensor | None]:
        outputs: Tensor = self.last(maps.flatten(1))
        if not self.stochastic:
            return outputs, None
        mean, log_scale = outputs.split(self.latent, dim=1)
        return mean, log_scale.exp()
