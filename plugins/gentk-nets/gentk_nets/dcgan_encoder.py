"""The encoder that is DCGAN's discriminator, with the extra convolutions that GFMN gave it."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from gentk.interfaces import Encoder, Features, ImageShape
from gentk.layers import numbered
from gentk.limits import at_least

from .activations import ACTIVATIONS, RANGES
from .dcgan import initialise, normed
from .sizes import DCGAN_SIDES, makes_dcgan, wrong_size

__all__ = ["DCGANEncoder"]


class DCGANEncoder(Encoder):
    """Strided convolutions with batch norm, from the image down to a 4x4 map (6x6 for 48 px).

    Every block halves the side (kernel 4, stride 2, padding 1) and, from `width` channels on, doubles
    the channels up to `8 * width` at most; after the first of them stand the `extra` 3x3
    convolutions; a last convolution over the whole map gives z. Batch norm and ReLU follow every
    layer but the last. No layer has a bias; convolutions start as N(0, 0.02^2), the gains of batch
    norm as N(1, 0.02^2).

    Args:
        image: Shape of the images: squares of 32, 48, 64 or 128 px.
        latent: Dimension of z.
        width: Channels after the first block.
        extra: Number of 3x3 convolutions, at half the image's side.
        output: Last non-linearity; `tanh` makes `signed` codes, `linear` unbounded ones.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If `width` is below 1, or `extra` below 0.

    Source: dos Santos et al., Learning Implicit Generative Models by Matching Perceptual Features,
    2019, arXiv:1904.02762, and its released code; Radford, Metz and Chintala, 2015, arXiv:1511.06434.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        width: int = 64,
        extra: int = 2,
        output: Literal["tanh", "linear"] = "tanh",
    ) -> None:
        super().__init__()
        if not makes_dcgan(image):
            side = max(image.height, image.width)
            nearest = min(DCGAN_SIDES, key=lambda known: abs(known - side))
            reads = "square images of 32, 48, 64 or 128 px"
            raise wrong_size("dcgan", reads, image, nearest, kind="encoder")
        at_least(1, "encoder 'dcgan'", {"width": width})
        at_least(0, "encoder 'dcgan'", {"extra": extra})
        self.image = image
        self.latent = latent
        self.range = "signed"
        self.code_range = RANGES[output]
        end = 6 if image.width == 48 else 4
        halvings = (image.width // end).bit_length() - 1
        widths = [width * min(8, 2**k) for k in range(halvings)]
        blocks = [nn.Sequential(*normed(_halve(image.channels, width)))]
        for _ in range(extra):
            conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
            blocks.append(nn.Sequential(*normed(conv)))
        blocks += [nn.Sequential(*normed(_halve(a, b))) for a, b in pairwise(widths)]
        self.blocks = nn.ModuleList(blocks)
        self.last = nn.Sequential(
            nn.Conv2d(widths[-1], latent, end, bias=False), nn.Flatten(), ACTIVATIONS[output]()
        )
        self.apply(initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Return latents (N, latent) for `images` (N, C, H, W) in [-1, 1]."""
        return self.features(images)["code"]

    def features(self, images: Tensor) -> Features:
        """Return the ReLUs, `layer1`, `layer2`, ..., (N, C, H, W), and `code`, (N, latent)."""
        layers, hidden = numbered(self.blocks, images)
        return layers | {"code": self.last(hidden)}


def _halve(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)
