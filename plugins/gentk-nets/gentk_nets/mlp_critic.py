"""The fully connected critic."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from gentk.interfaces import Critic, Features, ImageShape, Scores
from gentk.layers import numbered
from gentk.limits import at_least
from gentk.spectral import normalised

__all__ = ["MLPCritic"]

SLOPE = 0.2


class MLPCritic(Critic):
    """A multilayer perceptron from all values of an image at once to a score.

    h_0 = x, h_l = leaky(W_l h_{l-1} + b_l) with a slope of 0.2, s_x = w^T h_k + b. W starts as
    N(0, 2 / (1.04 fan_in)), w as N(0, 1 / fan_in), biases as 0. Images of any shape; nothing depends on
    other samples of the batch.

    Args:
        image: Shape of the images.
        latent: Dimension of z, which it does not look at.
        widths: Units of the hidden layers.
        spectral: Whether all weights are divided by their largest singular value.

    Raises:
        BadOption: If a width is below 1.

    Source: initialisation by He et al., Delving Deep into Rectifiers, 2015, arXiv:1502.01852.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        widths: tuple[int, ...] = (512, 512),
        spectral: bool = False,
    ) -> None:
        super().__init__()
        at_least(1, "critic 'mlp'", {"widths": min(widths, default=1)})
        self.image = image
        sizes = (image.channels * image.height * image.width, *widths)
        self.hidden = nn.ModuleList(
            nn.Sequential(normalised(_linear(*pair, SLOPE), spectral), nn.LeakyReLU(SLOPE))
            for pair in pairwise(sizes)
        )
        self.last = normalised(_linear(sizes[-1], 1, 1.0), spectral)

    def forward(self, images: Tensor, latents: Tensor | None = None) -> Scores:
        """Return the score `x` of `images` (N, C, H, W)."""
        return self.judge(images)[0]

    def features(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> Features:
        """Return the hidden layers, (N, units): `layer1`, `layer2`, ..."""
        return self.judge(images)[1]

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the score and the features of one pass."""
        layers, hidden = numbered(self.hidden, images.flatten(1))
        return {"x": self.last(hidden).squeeze(1)}, layers


def _linear(fan_in: int, fan_out: int, slope: float) -> nn.Linear:
    """Return a layer whose output has the variance of its input, behind it a leaky ReLU of a slope."""
    layer = nn.Linear(fan_in, fan_out)
    nn.init.normal_(layer.weight, std=(2 / ((1 + slope**2) * fan_in)) ** 0.5)
    nn.init.zeros_(layer.bias)
    return layer
