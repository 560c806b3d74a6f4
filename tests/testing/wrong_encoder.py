"""Encoders that are wrong in one way each."""

from __future__ import annotations

from torch import nn

from gentk.interfaces import Encoder, ImageShape


class Right(Encoder):
    """One linear layer: nothing is wrong with it."""

    def __init__(self, *, image: ImageShape, latent: int):
        super().__init__()
        self.image, self.latent = image, latent
        self.linear = nn.Linear(image.channels * image.height * image.width, latent)

    def forward(self, images):
        return self.linear(images.flatten(1))


class Undeclared(Right):
    """Its range of codes is none that gentk knows."""

    code_range = "positive"


class Unbounded(Right):
    """Its codes leave their range."""

    code_range = "unit"


class Cut(Right):
    """Its latents are cut off from the images."""

    def forward(self, images):
        return super().forward(images.detach())


class Disordered(Right):
    """Its last feature is not the code."""

    def features(self, images):
        return {"code": self(images), "pixels": images.flatten(1)}


WRONG = {
    "test_it_declares_ranges_and_dimension": Undeclared,
    "test_latents_keep_to_the_range": Unbounded,
    "test_gradient_reaches_the_image": Cut,
    "test_its_last_feature_is_the_code": Disordered,
}
REFUSED = (Undeclared,)
