"""The fully connected generator of BiGAN."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from gentk.interfaces import Generator, ImageShape
from gentk.limits import at_least
from gentk.prior import Law, Prior

from .layers import EPS, Layers

__all__ = ["BiGANGenerator"]


class BiGANGenerator(Generator):
    """h_1 = relu(norm(W_1 z)),  h_l = relu(norm(W_l h_{l-1} + V_l z)),  x = output(W h).

    z enters every hidden layer again, as it does in the released code; norm is a batch norm without
    gain and bias. Weights start as N(0, 0.02^2); maps have no bias unless `bias`.

    Args:
        image: Shape of the images, any.
        latent: Dimension of z.
        prior: Law of z; BiGAN's is U(-1, 1).
        widths: Units of the hidden layers.
        injected: Whether z enters later hidden layers.
        norm: Whether there are batch norms.
        bias: Whether maps without a batch norm have a bias.
        eps: What batch norms add to the variance.
        output: Last non-linearity; `sigmoid` makes `unit` images, `tanh` and `linear` `signed` ones,
            `linear` unbounded.

    Raises:
        BadOption: If `latent` or a width is below 1.

    Source: Donahue, Krahenbuhl and Darrell, Adversarial Feature Learning, 2017, arXiv:1605.09782, and
    its released code.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int = 50,
        prior: Law = "uniform",
        widths: tuple[int, ...] = (1024, 1024),
        injected: bool = True,
        norm: bool = True,
        bias: bool = False,
        eps: float = EPS,
        output: Literal["sigmoid", "tanh", "linear"] = "sigmoid",
    ) -> None:
        super().__init__()
        least = {"latent": latent, "widths": min(widths, default=1)}
        at_least(1, "generator 'bigan'", least)
        self.image = image
        self.prior = Prior(prior, latent)
        self.range = "unit" if output == "sigmoid" else "signed"
        self.output = output
        self.layers = Layers(
            latent,
            widths,
            image.channels * image.height * image.width,
            latent=latent if injected else 0,
            activation="relu",
            first=True,
            last=False,
            norm=norm,
            bias=bias,
            eps=eps,
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, H, W) for `latents` (N, latent)."""
        values = self.layers.outputs(latents, latents)[-1]
        if self.output != "linear":
            values = values.sigmoid() if self.output == "sigmoid" else values.tanh()
        return values.reshape(len(latents), *self.image)
