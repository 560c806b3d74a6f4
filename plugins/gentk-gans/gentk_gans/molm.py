"""The moment network of learned moments: what is matched is the gradient of its logit in its weights."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from gentk.errors import BadOption
from gentk.interfaces import Critic, Features, ImageShape, Scores, Side
from gentk.limits import at_least, square_of
from gentk.summary import MomentSums, Summary

__all__ = ["MomentNetwork"]

SIDES = (16, 32, 64)


class MomentNetwork(Critic):
    """Phi(x) = [grad_phi f_phi(x), x, a h_1(x), ..., a h_6(x)], of a critic with the logit f_phi.

    Six 3x3 convolutions of width * (1, 1, 2, 2, 4, 4) channels, every second of stride 2, LeakyReLU(0.2)
    after each, h_l, and a linear layer to the logit. A side is summarised as the mean of Phi, in which
    the gradient is that of the mean logit: no sample's own is made. So a loss of means matches
    them, and the critic plays a game of its own:

        --extractor critic --loss moments,covariance=none,factor=0.5
        [phase.critic] loss = "logistic"

    In the generator's steps the weights are constants, and the gradient in them has a graph: it moves G.

    Args:
        image: Shape of the images: squares of 16, 32 or 64 px.
        latent: Dimension of z, which it does not look at.
        width: Channels of the first layer.
        activations: a, what the hidden layers are multiplied by; 0 leaves them out.
        pixels: Whether x itself is among the moments.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If `width` is below 1 or `activations` below 0.

    Source: S. Ravuri, S. Mohamed, M. Rosca, O. Vinyals, "Learning Implicit Generative Models with the
    Method of Learned Moments", ICML 2018, arXiv:1806.11006; layers and a as in a student's
    reimplementation, in which the gradient passes nothing on to G.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        width: int = 128,
        activations: float = 1e-4,
        pixels: bool = True,
    ) -> None:
        super().__init__()
        owner = "critic 'molm'"
        side = square_of(owner, image, SIDES, "--critic sngan-cnn")
        at_least(1, owner, {"width": width})
        if not activations >= 0:
            raise BadOption(
                f"{owner}: activations={activations} is below 0; write activations=1e-4"
            )
        self.image = image
        self.activations = activations
        self.pixels = pixels
        widths = [image.channels, *(width * times for times in (1, 1, 2, 2, 4, 4))]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=1 + number % 2, padding=1)
            for number, (before, after) in enumerate(pairwise(widths))
        )
        self.last = nn.Linear(widths[-1] * (side // 8) ** 2, 1)

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the logit `x` and the hidden layers, `conv1` to `conv6`."""
        hidden: Features = {}
        maps = images
        for number, layer in enumerate(self.layers, start=1):
            maps = functional.leaky_relu(layer(maps), 0.2)
            hidden[f"conv{number}"] = maps
        return {"x": self.last(maps.flatten(1)).squeeze(1)}, hidden

    def summarise_side(self, side: Side, like: Summary | None = None) -> MomentSums:
        """Return the sums of Phi over a side's images."""
        images = side.images
        scores, hidden = self.judge(images)
        names, weights = zip(*self.named_parameters(), strict=True)
        slopes = torch.autograd.grad(scores["x"].mean(), weights, create_graph=True)
        means = {f"gradient/{name}": slope for name, slope in zip(names, slopes, strict=True)}
        if self.pixels:
            means["pixels"] = images.mean(0)
        if self.activations:
            means |= {name: self.activations * maps.mean(0) for name, maps in hidden.items()}
        return MomentSums.of_means(means, len(images), like)
