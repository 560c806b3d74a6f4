"""The fully connected encoder of BiGAN."""

from __future__ import annotations

from torch import Tensor

from gentk.interfaces import Encoder, Features, ImageShape
from gentk.limits import at_least

from .layers import Layers

__all__ = ["BiGANEncoder"]


class BiGANEncoder(Encoder):
    """h_1 = leaky(W_1 x + b),  h_l = leaky(norm(W_l h_{l-1})),  z = W h: deterministic, unbounded.

    leaky has the slope 0.2, norm is a batch norm without gain and bias. Weights start as N(0, 0.02^2).

    Args:
        image: Shape of the images, any.
        latent: Dimension of z.
        widths: Units of the hidden layers.
        norm: Whether there are batch norms.

    Raises:
        BadOption: If a width is below 1.

    Source: Donahue, Krahenbuhl and Darrell, Adversarial Feature Learning, 2017, arXiv:1605.09782, and
    its released code, whose last layer has no bias.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        widths: tuple[int, ...] = (1024, 1024),
        norm: bool = True,
    ) -> None:
        super().__init__()
        at_least(1, "encoder 'bigan'", {"widths": min(widths, default=1)})
        self.image = image
        self.latent = latent
        self.range = "signed"
        self.code_range = None
        size = image.channels * image.height * image.width
        self.layers = Layers(size, widths, latent, activation="leaky", norm=norm)
        self.layers[-1].main.register_parameter("bias", None)  # type: ignore[union-attr]

    def forward(self, images: Tensor) -> Tensor:
        """Return latents (N, latent) for `images` (N, C, H, W) in [-1, 1]."""
        return self.features(images)["code"]

    def features(self, images: Tensor) -> Features:
        """Return the hidden layers, `layer1`, `layer2`, ..., (N, units), and `code`, (N, latent)."""
        *hidden, code = self.layers.outputs(images.flatten(1))
        return {f"layer{number}": rows for number, rows in enumerate(hidden, 1)} | {"code": code}
