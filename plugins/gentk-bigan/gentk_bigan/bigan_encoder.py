"""The fully connected encoder of BiGAN."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from gentk.interfaces import Encoder, Features, ImageShape, Range
from gentk.limits import at_least

from .layers import EPS, Layers

__all__ = ["BiGANEncoder"]


class BiGANEncoder(Encoder):
    """h_1 = leaky(W_1 x),  h_l = leaky(norm(W_l h_{l-1})),  t = W h,  z = tanh(t / 2).

    It is deterministic; leaky has the slope 0.2, norm is a batch norm without gain and bias. Weights
    start as N(0, 0.02^2); maps have no bias unless `bias`. z keeps to (-1, 1), as a uniform prior does;
    a shift that all latents of a batch share would not be seen behind the batch norms of critic and
    generator.

    Args:
        image: Shape of the images, any.
        latent: Dimension of z.
        widths: Units of the hidden layers.
        norm: Whether there are batch norms.
        bias: Whether hidden maps without a batch norm have a bias; t never has one.
        eps: What batch norms add to the variance.
        range: The range of the image values it is given; the released code gives [0, 1], `unit`.
        output: `tanh`, or `linear`: z = t, unbounded, for a normal prior.

    Raises:
        BadOption: If a width is below 1.

    Source: Donahue, Krahenbuhl and Darrell, Adversarial Feature Learning, 2017, arXiv:1605.09782, and
    its released code, whose maps have no bias, whose z for a uniform prior is 2 sigmoid(t) - 1, and
    whose nearest neighbours are those of the last hidden layer, `layer2` here.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        widths: tuple[int, ...] = (1024, 1024),
        norm: bool = True,
        bias: bool = False,
        eps: float = EPS,
        range: Range = "unit",
        output: Literal["tanh", "linear"] = "tanh",
    ) -> None:
        super().__init__()
        at_least(1, "encoder 'bigan'", {"widths": min(widths, default=1)})
        self.image = image
        self.latent = latent
        self.range = range
        self.code_range = "signed" if output == "tanh" else None
        size = image.channels * image.height * image.width
        self.layers = Layers(
            size, widths, latent, activation="leaky", norm=norm, bias=bias, eps=eps
        )
        self.layers[-1].main.register_parameter("bias", None)  # type: ignore[union-attr]

    def forward(self, images: Tensor) -> Tensor:
        """Return latents (N, latent) for `images` (N, C, H, W) in `range`."""
        return self.features(images)["code"]

    def features(self, images: Tensor) -> Features:
        """Return the hidden layers, `layer1`, `layer2`, ..., (N, units), and `code`, (N, latent).

        With `tanh`, the t before it is `linear`, (N, latent).
        """
        *hidden, linear = self.layers.outputs(images.flatten(1))
        layers = {f"layer{number}": rows for number, rows in enumerate(hidden, 1)}
        if self.code_range is None:
            return layers | {"code": linear}
        return layers | {"linear": linear, "code": (linear / 2).tanh()}
