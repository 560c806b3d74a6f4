"""Reversible residual networks that encode images: memory does not grow with depth."""

from __future__ import annotations

from typing import Literal

from torch import nn

from gentk.interfaces import ImageShape

from .resnet import Depth, ResNetEncoder
from .reversible import ReversibleChain, ReversibleUnit
from .units import Residual, Unit

__all__ = ["RevNetEncoder"]


class RevNetEncoder(ResNetEncoder):
    """`resnet` whose units, but the first of each stage, are reversible on the halves of the channels.

        y1 = x1 + f(x2),    y2 = x2 + g(y1)

    Their activations are computed again on the way back. f and g have half of the channels each, so
    that at one width it has fewer weights than `resnet`.

    Args:
        image: Shape of the images: squares of a multiple of 16 px.
        latent: Dimension of z.
        depth: As `resnet` takes it.
        width: Factor of all channels, which are rounded to multiples of 16; the widest BigBiGAN has 4.
        size: Side of the images it reads, as `resnet` takes it.
        hidden: Units of the perceptron after pooling.
        blocks: Its residual blocks, two layers each; 0 for none.
        stochastic: Whether z is drawn; otherwise it is the mean.
        memory: `flat` computes activations again; `graph` keeps them, as autograd does: the same
            gradient, faster.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If an option is out of range.

    Source: Gomez et al., The Reversible Residual Network, 2017, arXiv:1707.04585; as an encoder:
    Donahue and Simonyan, 2019, arXiv:1907.02544.
    """

    name = "revnet"

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        depth: Depth = 50,
        width: float = 1.0,
        size: int | None = None,
        hidden: int = 1024,
        blocks: int = 2,
        stochastic: bool = True,
        memory: Literal["flat", "graph"] = "flat",
    ) -> None:
        self.flat = memory == "flat"
        super().__init__(
            image=image,
            latent=latent,
            depth=depth,
            width=width,
            size=size,
            hidden=hidden,
            blocks=blocks,
            stochastic=stochastic,
        )

    def stage(self, before: int, after: int, units: int, *, stride: int, wide: bool) -> nn.Module:
        """Return a stage: a residual unit that changes side and channels, and reversible ones."""
        half = after // 2
        chain = [
            ReversibleUnit(Residual(half, half, wide=wide), Residual(half, half, wide=wide))
            for _ in range(units - 1)
        ]
        first = Unit(before, after, stride=stride, wide=wide)
        return nn.Sequential(first, *([ReversibleChain(chain, flat=self.flat)] if chain else []))
