"""DCGAN's critic, with the extra convolutions of WGAN and Fisher GAN."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from gentk.errors import BadOption
from gentk.interfaces import Critic, Features, ImageShape, Scores
from gentk.layers import numbered
from gentk.limits import at_least, square_of

from .dcgan import initialise
from .sizes import DCGAN_SIDES

__all__ = ["DCGANCritic"]


class DCGANCritic(Critic):
    """s_x = w^T h + b: strided convolutions from the image down to h, a 4x4 map (6x6 for 48 px).

    Every block halves the side (kernel 4, stride 2, padding 1) and, from `width` channels on, doubles
    the channels up to `8 * width` at most; after the first of them stand the `extra` 3x3 convolutions.
    Batch norm follows every convolution but the first, LeakyReLU(0.2) all. Convolutions have no bias and
    start as N(0, 0.02^2), the gains of batch norm as N(1, 0.02^2).

    Args:
        image: Shape of the images: squares of 32, 48, 64 or 128 px.
        latent: Dimension of z, which it does not look at.
        width: Channels after the first block.
        extra: Number of 3x3 convolutions, at half the image's side.
        norm: Whether there are batch norms; gradient penalties want none.
        bias: Whether there is b.
        decay: Decay of the last layer's weights: decay / 2 |w|^2 is added to what it minimises, which
            with Adam is `weight_decay` of that layer alone.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If `width` is below 1, or `extra` or `decay` below 0.

    Source: Radford, Metz and Chintala, 2015, arXiv:1511.06434; the extra layers and the last layer's
    decay: the released codes of WGAN, arXiv:1701.07875, and Fisher GAN, arXiv:1705.09675.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        width: int = 64,
        extra: int = 0,
        norm: bool = True,
        bias: bool = True,
        decay: float = 0.0,
    ) -> None:
        super().__init__()
        owner = "critic 'dcgan'"
        side = square_of(owner, image, DCGAN_SIDES, "--critic mlp")
        at_least(1, owner, {"width": width})
        at_least(0, owner, {"extra": extra})
        if not decay >= 0:
            raise BadOption(f"{owner}: decay={decay} is below 0; write decay=1e-3")
        self.image = image
        self.decay = decay
        end = 6 if side == 48 else 4
        halvings = (side // end).bit_length() - 1
        widths = [width * min(8, 2**k) for k in range(halvings)]
        blocks = [_block(_halve(image.channels, width), norm=False)]
        for _ in range(extra):
            blocks.append(_block(nn.Conv2d(width, width, 3, padding=1, bias=False), norm=norm))
        blocks += [_block(_halve(a, b), norm=norm) for a, b in pairwise(widths)]
        self.blocks = nn.ModuleList(blocks)
        self.last = nn.Conv2d(widths[-1], 1, end, bias=bias)
        self.apply(initialise)

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the score `x`, and the blocks' outputs, (N, C, H, W): `layer1`, `layer2`, ..."""
        layers, hidden = numbered(self.blocks, images)
        return {"x": self.last(hidden).flatten()}, layers

    def penalty(self) -> dict[str, Tensor]:
        """Return the last layer's decay, if there is one."""
        return {"decay": self.decay / 2 * self.last.weight.square().sum()} if self.decay else {}


def _halve(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)


def _block(layer: nn.Conv2d, *, norm: bool) -> nn.Sequential:
    between = [nn.BatchNorm2d(layer.out_channels)] if norm else []
    return nn.Sequential(layer, *between, nn.LeakyReLU(0.2))
