"""The generator of ALI."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from gentk.interfaces import Generator, ImageShape
from gentk.limits import at_least, square_of
from gentk.prior import Law, Prior

from .start import small

__all__ = ["ALIGenerator"]

CONVOLUTIONS: Final = ((4, 1, 256), (4, 2, 128), (4, 1, 64), (4, 2, 32), (5, 1, 32))
"""Kernel, stride, channels of the transposed convolutions: 1, 4, 10, 13, 28, 32 px."""


class ALIGenerator(Generator):
    """Transposed convolutions, batch norm, leaky ReLU of slope 0.1, and a bias of each pixel's own.

    x = sigmoid(W h + b), W a 1x1 convolution and b of the image's shape. Weights start as N(0, 0.01^2),
    biases 0: the released code starts b at the log-odds of the training images' means, which a
    generator here does not see.

    Args:
        image: Shape of the images: squares of 32 px.
        latent: Dimension of z.
        prior: Law of z.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If `latent` is below 1.

    Source: Dumoulin et al., Adversarially Learned Inference, 2017, arXiv:1606.00704, and its released
    code.
    """

    def __init__(self, *, image: ImageShape, latent: int = 64, prior: Law = "normal") -> None:
        super().__init__()
        square_of("generator 'ali'", image, (32,), "--generator bigan")
        at_least(1, "generator 'ali'", {"latent": latent})
        self.image = image
        self.prior = Prior(prior, latent)
        self.range = "unit"
        before = latent
        layers: list[nn.Module] = []
        for kernel, stride, channels in CONVOLUTIONS:
            layers.append(nn.ConvTranspose2d(before, channels, kernel, stride=stride, bias=False))
            layers += [nn.BatchNorm2d(channels), nn.LeakyReLU(0.1, inplace=True)]
            before = channels
        layers += [nn.Conv2d(before, 32, 1, bias=False), nn.BatchNorm2d(32)]
        layers += [nn.LeakyReLU(0.1, inplace=True), nn.Conv2d(32, image.channels, 1, bias=False)]
        self.layers = nn.Sequential(*layers)
        self.bias = nn.Parameter(torch.zeros(*image))
        self.apply(small)

    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, 32, 32) in [0, 1] for `latents` (N, latent)."""
        values: Tensor = self.layers(latents[:, :, None, None]) + self.bias
        return values.sigmoid()
