"""The fully connected generator of generative moment matching networks."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from gentk.interfaces import Generator, ImageShape
from gentk.limits import at_least, positive
from gentk.prior import Prior

from .activations import ACTIVATIONS

__all__ = ["MLPGenerator"]


class MLPGenerator(Generator):
    """A multilayer perceptron from latents to all values of an image at once.

    x = output(W_k a(... a(W_1 z + b_1) ...) + b_k) with an activation a, W ~ N(0, 1/fan_in) and b = 0
    at the start; a class is read as a one-hot row behind z. Images of any shape; GMMN itself is
    `mlp,latent=10,prior=uniform`.

    Args:
        image: Shape of the images.
        latent: Dimension of z.
        prior: Law of z, N(0, 1) or U(-1, 1) per coordinate.
        widths: Units of the hidden layers.
        activation: Non-linearity of the hidden layers.
        output: Last non-linearity; `sigmoid` makes `unit` images, `tanh` `signed` ones.
        bound: If given, weights start as U(-bound, bound) instead.
        classes: Number of classes, which stand behind z in a latent; 0 for an unconditional generator.

    Raises:
        BadOption: If `latent` or a width is below 1, or `bound` is not above 0.

    Source: Li, Swersky and Zemel, Generative Moment Matching Networks, 2015, arXiv 1502.02761.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int = 100,
        prior: Literal["normal", "uniform"] = "normal",
        widths: tuple[int, ...] = (64, 256, 256, 1024),
        activation: Literal["relu", "sigmoid", "tanh"] = "relu",
        output: Literal["sigmoid", "tanh"] = "sigmoid",
        bound: float | None = None,
        classes: int = 0,
    ) -> None:
        super().__init__()
        at_least(1, "generator 'mlp'", {"latent": latent, "widths": min(widths, default=1)})
        self.image = image
        at_least(0, "generator 'mlp'", {"classes": classes})
        if bound is not None:
            positive("generator 'mlp'", {"bound": bound})
        self.prior = Prior(prior, latent, classes=classes)
        self.range = "unit" if output == "sigmoid" else "signed"
        sizes = (latent + classes, *widths, image.channels * image.height * image.width)
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            linear = nn.Linear(fan_in, fan_out)
            if bound is None:
                nn.init.normal_(linear.weight, std=fan_in**-0.5)
            else:
                nn.init.uniform_(linear.weight, -bound, bound)
            nn.init.zeros_(linear.bias)
            layers += [linear, ACTIVATIONS[activation]()]
        layers[-1] = ACTIVATIONS[output]()
        self.net = nn.Sequential(*layers)

    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, H, W) for `latents` (N, latent + classes)."""
        values: Tensor = self.net(latents)
        # Not len(), which is a number and would fix the batch of an exported graph.
        return values.reshape(latents.shape[0], *self.image)
