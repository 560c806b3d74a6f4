"""Critics that are wrong in one way each."""

from __future__ import annotations

from torch import nn

from gentk.interfaces import Critic, ImageShape


class Right(Critic):
    """One linear layer: nothing is wrong with it."""

    def __init__(self, *, image: ImageShape, latent: int):
        super().__init__()
        self.image = image
        self.linear = nn.Linear(image.channels * image.height * image.width, 1)

    def forward(self, images, latents=None):
        return {"x": self.linear(images.flatten(1))[:, 0]}


class Undeclared(Right):
    """It says neither yes nor no to pairs."""

    pairs = 0


class Tall(Right):
    """Its scores are a column."""

    def forward(self, images, latents=None):
        return {"x": self.linear(images.flatten(1))}


class Cut(Right):
    """Its scores do not change with the images."""

    def forward(self, images, latents=None):
        return super().forward(images.detach() + 0 * images)


WRONG = {
    "test_it_declares_what_it_judges": Undeclared,
    "test_scores_are_one_a_sample": Tall,
    "test_gradient_reaches_what_it_judges": Cut,
}
