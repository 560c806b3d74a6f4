"""The critic of BiGAN."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from gentk.errors import BadOption
from gentk.interfaces import Critic, Features, ImageShape, Range, Scores
from gentk.limits import at_least, square_of

from .layers import EPS, STD, Layers

__all__ = ["BiGANCritic"]

SIDES = (32, 64, 128)
"""Sides of the images that its convolutions work with, in pixels."""


class Halving(nn.Module):
    """A convolution that halves the side: y = leaky(norm(W * h + V z + b)), V z the same everywhere.

    Args:
        before: Channels of h.
        after: Channels of y.
        latent: Dimension of z; 0 if it is not given.
        norm: Whether there is a batch norm, which needs no b.
        eps: Added to its variance.
    """

    def __init__(self, before: int, after: int, *, latent: int, norm: bool, eps: float) -> None:
        super().__init__()
        self.main = nn.Conv2d(before, after, 4, stride=2, padding=1, bias=not norm)
        self.beside = nn.Linear(latent, after, bias=False) if latent else None
        self.norm = nn.BatchNorm2d(after, eps=eps, affine=False) if norm else None

    def forward(self, maps: Tensor, latents: Tensor | None) -> Tensor:
        """Return maps (N, after, H / 2, W / 2)."""
        hidden: Tensor = self.main(maps)
        if self.beside is not None:
            hidden = hidden + self.beside(latents)[:, :, None, None]
        if self.norm is not None:
            hidden = self.norm(hidden)
        return functional.leaky_relu(hidden, 0.2)


class BiGANCritic(Critic):
    """s_xz(x, z): a network of x to whose hidden layers, but the first, a linear map of z is added.

    h_1 = leaky(W_1 x),  h_l = leaky(norm(W_l h_{l-1} + V_l z)),  s = w^T h, leaky of slope 0.2, norm a
    batch norm without gain and bias. Weights start as N(0, 0.02^2). Fully connected layers have no bias
    unless `bias`; the first convolution has one. The score itself has no term in z, as in the released
    code.

    Args:
        image: Shape of the images: any, or squares of 32, 64 or 128 px with `network=conv`.
        latent: Dimension of z.
        network: `mlp`, fully connected, as on MNIST, or `conv`, DCGAN's convolutions, as on ImageNet.
        widths: For `mlp`: units of the hidden layers.
        width: For `conv`: channels of the first layer; later ones double them.
        norm: Whether there are batch norms.
        bias: Whether fully connected layers without a batch norm have a bias.
        eps: What batch norms add to the variance.
        range: The range of the image values it is given; the released code gives [0, 1], `unit`.
        injected: Whether z enters; without it, the score is `x`, and the critic an ordinary GAN's.

    Raises:
        Incompatible: If the convolutions do not know images of this size.
        BadOption: If a width is below 1, or there is no hidden layer but the first, where z could enter.

    Source: Donahue, Krahenbuhl and Darrell, Adversarial Feature Learning, 2017, arXiv:1605.09782, and
    its released code.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        network: Literal["mlp", "conv"] = "mlp",
        widths: tuple[int, ...] = (1024, 1024),
        width: int = 64,
        norm: bool = True,
        bias: bool = False,
        eps: float = EPS,
        range: Range = "unit",
        injected: bool = True,
    ) -> None:
        super().__init__()
        owner = "critic 'bigan'"
        at_least(1, owner, {"width": width, "widths": min(widths, default=1)})
        if injected and network == "mlp" and len(widths) < 2:
            raise BadOption(
                f"{owner}: z enters behind the first hidden layer, and "
                f"widths={'+'.join(map(str, widths))} leaves none there; write widths=1024+1024, "
                "or injected=false"
            )
        self.image = image
        self.range = range
        self.pairs = injected
        given = latent if injected else 0
        size = image.channels * image.height * image.width
        self.halvings = nn.ModuleList()
        if network == "conv":
            side = square_of(owner, image, SIDES, "--critic bigan,network=mlp")
            sizes = [image.channels, *_widths(width, side)]
            self.halvings.extend(
                Halving(before, after, latent=given if k else 0, norm=norm and k > 0, eps=eps)
                for k, (before, after) in enumerate(pairwise(sizes))
            )
            size, widths = 16 * sizes[-1], ()
        self.layers = Layers(
            size,
            widths,
            1,
            latent=given,
            activation="leaky",
            last=False,
            norm=norm,
            bias=bias,
            eps=eps,
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the score, `xz` or without z `x`, and by its name the last hidden layer, (N, ...)."""
        hidden = images
        for halving in self.halvings:
            hidden = halving(hidden, latents)
        layers = [hidden.flatten(1), *self.layers.outputs(hidden.flatten(1), latents)]
        name = "xz" if self.pairs else "x"
        return {name: layers[-1][:, 0]}, {name: layers[-2]}


def _widths(first: int, side: int) -> list[int]:
    """Return the channels behind each halving of a side down to 4 px, twice as many each time."""
    return [first * 2**k for k in range(side.bit_length() - 3)]
