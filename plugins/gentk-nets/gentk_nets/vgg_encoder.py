"""The VGG encoder of GFMN's auto-encoders, narrow enough for small images."""

from __future__ import annotations

from typing import Final, Literal

from torch import Tensor, nn

from gentk.interfaces import Encoder, Features, ImageShape
from gentk.layers import numbered
from gentk.limits import at_least

from .activations import ACTIVATIONS, RANGES
from .sizes import reads_vgg, wrong_size

__all__ = ["VGGEncoder"]

PLAN: Final = ((1, 1), (2, 2), (4, 4), (8, 8), (8, 8))
"""Channels of VGG13's convolutions in units of the width, a tuple a resolution."""


class VGGEncoder(Encoder):
    """VGG13 with batch norm: ten 3x3 convolutions, max-pooling by 2 after every second, a linear map.

    Batch norm and ReLU follow every convolution; z = output(W f + b) of what the last pooling leaves.
    Convolutions start as torchvision's VGG, N(0, 2 / (9 * channels out)) and biases 0; the linear map as
    torch's.

    Args:
        image: Shape of the images: squares whose side is a multiple of 32 px.
        latent: Dimension of z.
        width: Channels of the first convolutions; 64 is VGG13's, 32 has a quarter of its weights.
        output: Last non-linearity; `tanh` makes `signed` codes, `linear` unbounded ones.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If `width` is below 1.

    Source: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image
    Recognition, 2014, arXiv:1409.1556; as an auto-encoder's encoder: the first version of dos Santos
    et al., 2019, arXiv:1904.02762.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        width: int = 32,
        output: Literal["tanh", "linear"] = "tanh",
    ) -> None:
        super().__init__()
        if not reads_vgg(image):
            nearest = 32 * max(1, round(max(image.height, image.width) / 32))
            reads = "square images of 32, 64, 96, ... px"
            raise wrong_size("vgg", reads, image, nearest, kind="encoder")
        at_least(1, "encoder 'vgg'", {"width": width})
        self.image = image
        self.latent = latent
        self.range = "signed"
        self.code_range = RANGES[output]
        before = image.channels
        blocks: list[nn.Module] = []
        for number, group in enumerate(PLAN):
            for place, factor in enumerate(group):
                pool = [nn.MaxPool2d(2)] if number and not place else []
                conv = nn.Conv2d(before, factor * width, 3, padding=1)
                nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
                norm, relu = nn.BatchNorm2d(factor * width), nn.ReLU(inplace=True)
                blocks.append(nn.Sequential(*pool, conv, norm, relu))
                before = factor * width
        self.blocks = nn.ModuleList(blocks)
        side = image.width // 32
        self.last = nn.Sequential(
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(before * side * side, latent),
            ACTIVATIONS[output](),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return latents (N, latent) for `images` (N, C, H, W) in [-1, 1]."""
        return self.features(images)["code"]

    def features(self, images: Tensor) -> Features:
        """Return the ReLUs, `layer1` to `layer10`, (N, C, H, W), and `code`, (N, latent)."""
        layers, hidden = numbered(self.blocks, images)
        return layers | {"code": self.last(hidden)}
