"""The residual generator of GFMN."""

from __future__ import annotations

from itertools import pairwise
from math import log2
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from gentk.interfaces import Generator, ImageShape
from gentk.limits import at_least
from gentk.prior import Prior

from .conditional import ClassNorm, norm_of
from .sizes import makes_resnet, wrong_size

__all__ = ["ResNetGenerator", "ResUp"]


class ResUp(nn.Module):
    """A residual block that doubles the side, up(.) being nearest-neighbour upsampling.

    y = conv2(relu(norm2(conv1(up(relu(norm1(x))))))) + up(bypass(x)): 3x3 convolutions, and a 1x1
    one as bypass.

    Args:
        before: Channels of x.
        after: Channels of y.
        adapt: Whether the bypass is a convolution; without it, x itself, and `before` is `after`.
        classes: Number of classes that the norms have a gain and a bias for; 0 for ordinary ones.
    """

    def __init__(self, *, before: int, after: int, adapt: bool = True, classes: int = 0) -> None:
        super().__init__()
        self.norm1 = _norm(before, classes)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.norm2 = _norm(after, classes)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.bypass = nn.Conv2d(before, after, 1) if adapt else nn.Identity()

    def forward(self, maps: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return maps (N, after, 2H, 2W) for `maps` (N, before, H, W)."""
        main = _up_convolved(
            functional.relu(norm_of(self.norm1, maps, labels), inplace=True), self.conv1
        )
        main = self.conv2(functional.relu(norm_of(self.norm2, main, labels), inplace=True))
        # A 1x1 convolution commutes with upsampling: before it, it costs a quarter.
        bypass: Tensor = _up(self.bypass(maps))
        doubled: Tensor = main + bypass
        return doubled


class ResNetGenerator(Generator):
    """Residual blocks from a 4x4 map up to the image.

    z becomes the first map by a transposed convolution without bias; each of the log2(side) - 2
    blocks doubles the side and halves the channels, down to `width`; batch norm, ReLU, a 3x3
    convolution and tanh make the image. With classes, each has batch norm gains and biases of its own.
    All convolution weights start Xavier-uniform.

    Args:
        image: Shape of the images: squares of 8, 16, 32, ... px.
        latent: Dimension of z.
        prior: Law of z, N(0, 1) or U(-1, 1) per coordinate.
        width: Channels of the last block; the first map has `width * side / 4`.
        constant: Have `width` channels everywhere, and bypasses that only upsample.
        classes: Number of classes, which stand behind z in a latent; 0 for an unconditional generator.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If `latent` or `width` is below 1.

    Source: dos Santos et al., Learning Implicit Generative Models by Matching Perceptual Features,
    2019, arXiv 1904.02762, and the code released with it.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int = 100,
        prior: Literal["normal", "uniform"] = "normal",
        width: int = 64,
        constant: bool = False,
        classes: int = 0,
    ) -> None:
        super().__init__()
        if not makes_resnet(image):
            nearest = 2 ** max(3, round(log2(max(image.height, image.width))))
            makes = "square images of 8, 16, 32, ... px (powers of two)"
            raise wrong_size("resnet", makes, image, nearest)
        at_least(1, "generator 'resnet'", {"latent": latent, "width": width})
        at_least(0, "generator 'resnet'", {"classes": classes})
        self.image = image
        self.prior = Prior(prior, latent, classes=classes)
        self.range = "signed"
        doublings = image.width.bit_length() - 3
        widths = [width * (1 if constant else 2**k) for k in reversed(range(doublings + 1))]
        self.first = nn.ConvTranspose2d(latent, widths[0], 4, bias=False)
        self.blocks = nn.Sequential(
            *(
                ResUp(before=b, after=a, adapt=not constant, classes=classes)
                for b, a in pairwise(widths)
            )
        )
        self.norm = _norm(width, classes)
        self.last = nn.Conv2d(width, image.channels, 3, padding=1)
        self.apply(_initialise)

    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, H, W) for `latents` (N, latent + classes)."""
        z, labels = self.prior.split(latents)
        maps = self.first(z[:, :, None, None])
        for block in self.blocks:
            maps = block(maps, labels)
        maps = functional.relu(norm_of(self.norm, maps, labels), inplace=True)
        images: Tensor = self.last(maps)
        return images.tanh()


def _norm(channels: int, classes: int) -> nn.Module:
    return ClassNorm(channels, classes) if classes else nn.BatchNorm2d(channels)


def _up(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2, mode="nearest")


def _up_convolved(maps: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Return a 3x3 convolution of up(maps), without making up(maps).

    Upsampling repeats every value in a 2x2 square, so an output position sees each input value under
    one or two of the nine weights: a transposed 4x4 convolution of stride 2 with those weights added
    up. Same result to rounding, about a fifth less time for a training step.
    """
    weight = convolution.weight
    # Tap a of the four adds up the weights k of the three with a + k = 2 or 3.
    taps = torch.arange(4, device=weight.device)[:, None] + torch.arange(3, device=weight.device)
    merge = ((taps == 2) | (taps == 3)).to(weight)
    kernel = torch.einsum("ak,oikl,bl->ioab", merge, weight, merge)
    return functional.conv_transpose2d(maps, kernel, convolution.bias, stride=2, padding=1)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
