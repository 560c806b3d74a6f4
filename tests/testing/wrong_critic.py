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


class TwoMinded(Right):
    """Its features are others when it judges."""

    def features(self, images, latents=None, labels=None):
        return {"pixels": images.flatten(1)}

    def judge(self, images, latents=None, labels=None):
        return self(images), {"pixels": 2 * images.flatten(1)}


class Cut(Right):
    """Its scores do not change with the images."""

    def forward(self, images, latents=None):
        return super().forward(images.detach() + 0 * images)


WRONG = {
    "test_it_declares_what_it_judges": Undeclared,
    "test_scores_are_one_a_sample": Tall,
    "test_features_are_of_the_pass_that_gives_scores": TwoMinded,
    "test_gradient_reaches_what_it_judges": Cut,
}
REFUSED = (Tall,)
