"""The fully connected critic."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from gentk.interfaces import Critic, Features, ImageShape, Range, Scores
from gentk.layers import Maxout, numbered
from gentk.limits import at_least, positive
from gentk.spectral import normalised

from .dropout import shares_of

__all__ = ["MLPCritic"]

SLOPE = 0.2


class MLPCritic(Critic):
    """A multilayer perceptron from all values of an image at once to a score.

    h_0 = x, h_l = a(W_l drop(h_{l-1}) + b_l), s_x = w^T drop(h_k) + b, with a leaky ReLU of slope 0.2 or
    maxout for a. W starts as N(0, 2 / (1.04 fan_in)), w as N(0, 1 / fan_in), biases as 0. Images of any
    shape; nothing depends on other samples of the batch.

    Args:
        image: Shape of the images.
        latent: Dimension of z, which it does not look at.
        widths: Units of the hidden layers.
        activation: a: `leaky`, or `maxout`, the largest of `pieces` linear maps a unit.
        pieces: Linear maps that a unit of maxout takes the largest of.
        dropout: Share of each layer's inputs that is dropped in training, first layer first; those kept
            are scaled up. Empty for none.
        range: The range of the image values it is given.
        bound: If given, weights start as U(-bound, bound) instead.
        spectral: Whether all weights are divided by their largest singular value.

    Raises:
        BadOption: If a width is below 1, `pieces` below 2, `bound` not above 0, or `dropout` has not one
            share in [0, 1) a layer.

    Source: initialisation by He et al., Delving Deep into Rectifiers, 2015, arXiv:1502.01852; maxout,
    dropout and `bound` as in Goodfellow et al., Generative Adversarial Networks, 2014, arXiv:1406.2661.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        widths: tuple[int, ...] = (512, 512),
        activation: Literal["leaky", "maxout"] = "leaky",
        pieces: int = 5,
        dropout: tuple[float, ...] = (),
        range: Range = "signed",
        bound: float | None = None,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        at_least(1, "critic 'mlp'", {"widths": min(widths, default=1)})
        at_least(2, "critic 'mlp'", {"pieces": pieces})
        if bound is not None:
            positive("critic 'mlp'", {"bound": bound})
        *shares, share = shares_of("critic 'mlp'", dropout, len(widths) + 1)
        self.image = image
        self.range = range
        sizes = (image.channels * image.height * image.width, *widths)
        times = pieces if activation == "maxout" else 1
        self.hidden = nn.ModuleList(
            nn.Sequential(
                _dropped(before),
                normalised(_linear(fan_in, times * fan_out, SLOPE, bound), spectral),
                Maxout(pieces) if activation == "maxout" else nn.LeakyReLU(SLOPE),
            )
            for before, (fan_in, fan_out) in zip(shares, pairwise(sizes), strict=True)
        )
        score = normalised(_linear(sizes[-1], 1, 1.0, bound), spectral)
        self.last = nn.Sequential(_dropped(share), score)

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the score `x`, and the hidden layers, (N, units): `layer1`, `layer2`, ..."""
        layers, hidden = numbered(self.hidden, images.flatten(1))
        return {"x": self.last(hidden).squeeze(1)}, layers


def _dropped(share: float) -> nn.Module:
    return nn.Dropout(share) if share else nn.Identity()


def _linear(fan_in: int, fan_out: int, slope: float, bound: float | None) -> nn.Linear:
    """Return a layer whose output has the variance of its input, behind it a leaky ReLU of a slope.

    With a `bound`, its weights start as U(-bound, bound).
    """
    layer = nn.Linear(fan_in, fan_out)
    if bound is None:
        nn.init.normal_(layer.weight, std=(2 / ((1 + slope**2) * fan_in)) ** 0.5)
    else:
        nn.init.uniform_(layer.weight, -bound, bound)
    nn.init.zeros_(layer.bias)
    return layer
