"""The fully connected encoder of GMMN's auto-encoder."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from gentk.interfaces import Encoder, Features, ImageShape, Range
from gentk.layers import numbered
from gentk.limits import at_least

from .activations import ACTIVATIONS, RANGES
from .dropout import Unscaled, shares_of

__all__ = ["MLPEncoder"]


class MLPEncoder(Encoder):
    """A multilayer perceptron from all values of an image at once to a latent.

    h_0 = x, h_l = activation(W_l drop(h_{l-1}) + b_l), z = output(W_k drop(h_{k-1}) + b_k), with
    W ~ N(0, 1/fan_in) and b = 0 at the start. Images of any shape, codes among them.

    Args:
        image: Shape of the images.
        latent: Dimension of z.
        widths: Units of the hidden layers.
        activation: Non-linearity of the hidden layers.
        output: Last non-linearity; `sigmoid` makes `unit` codes, `tanh` `signed` ones, `linear`
            unbounded ones.
        dropout: Share of each layer's inputs that is dropped in training, first layer first. Empty for
            none.
        rescale: Whether inputs that are kept in training are scaled up by 1 / (1 - share), so that
            encoding has the mean of what training had. Without it encoding has larger sums, and harder
            codes, as the released code of GMMN+AE has.

    Raises:
        BadOption: If a width is below 1, or `dropout` has not one share in [0, 1) a layer.

    Source: Li, Swersky and Zemel, Generative Moment Matching Networks, 2015, arXiv:1502.02761, and
    its released code.
    """

    range: Range = "unit"

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        widths: tuple[int, ...] = (1024,),
        activation: Literal["relu", "sigmoid", "tanh"] = "sigmoid",
        output: Literal["sigmoid", "tanh", "linear"] = "sigmoid",
        dropout: tuple[float, ...] = (),
        rescale: bool = True,
    ) -> None:
        super().__init__()
        at_least(1, "encoder 'mlp'", {"widths": min(widths, default=1)})
        shares = shares_of("encoder 'mlp'", dropout, len(widths) + 1)
        self.image = image
        self.latent = latent
        self.code_range = RANGES[output]
        sizes = (image.channels * image.height * image.width, *widths, latent)
        kinds = [*[activation] * len(widths), output]
        self.layers = nn.ModuleList(
            _layer(fan_in, fan_out, kind, share, rescale)
            for (fan_in, fan_out), kind, share in zip(pairwise(sizes), kinds, shares, strict=True)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return latents (N, latent) for `images` (N, C, H, W) in [0, 1]."""
        return self.features(images)["code"]

    def features(self, images: Tensor) -> Features:
        """Return the outputs of the layers, (N, units): `layer1`, `layer2`, ..., and `code`."""
        *blocks, last = self.layers
        layers, hidden = numbered(blocks, images.flatten(1))
        return layers | {"code": last(hidden)}


def _layer(fan_in: int, fan_out: int, kind: str, share: float, rescale: bool) -> nn.Sequential:
    linear = nn.Linear(fan_in, fan_out)
    nn.init.normal_(linear.weight, std=fan_in**-0.5)
    nn.init.zeros_(linear.bias)
    dropout = nn.Dropout(share) if rescale else Unscaled(share)
    return nn.Sequential(dropout, linear, ACTIVATIONS[kind]())
