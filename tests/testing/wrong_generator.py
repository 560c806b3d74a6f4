"""Generators that are wrong in one way each."""

from __future__ import annotations

from torch import nn

from gentk.interfaces import Generator, ImageShape
from gentk.prior import Prior


class Right(Generator):
    """One linear layer: nothing is wrong with it."""

    def __init__(self, *, image: ImageShape):
        super().__init__()
        self.shape = self.image = image
        self.prior, self.range = Prior("normal", 6), "signed"
        self.linear = nn.Linear(6, image.channels * image.height * image.width)

    def forward(self, latents):
        return self.linear(latents).tanh().reshape(len(latents), *self.shape)


class Mistaken(Right):
    """It says that its images have another shape."""

    def __init__(self, *, image: ImageShape):
        super().__init__(image=image)
        self.image = ImageShape(1, 2, 3)


class Crashing(Right):
    """A size that it does not make is a ValueError."""

    def __init__(self, *, image: ImageShape):
        if image.height != 32:
            raise ValueError("32, please")
        super().__init__(image=image)


class Idle(Right):
    """It has a layer that it does not use."""

    def __init__(self, *, image: ImageShape):
        super().__init__(image=image)
        self.spare = nn.Linear(2, 2)


class Shy(Right):
    """It makes a few images, and not as many as a sample grid takes."""

    def forward(self, latents):
        if len(latents) > 16:
            raise RuntimeError("too many")
        return super().forward(latents)


class Counting(Right):
    """Its images grow clearer with every pass in training, counted outside of its buffers."""

    passes = 0

    def forward(self, latents):
        self.passes += self.training
        return super().forward(latents * (1 + self.passes / 10))


class Undeclared(Right):
    """Its range is none that gentk knows."""

    def __init__(self, *, image: ImageShape):
        super().__init__(image=image)
        self.range = "symmetric"


class Unbounded(Right):
    """Its values leave the range."""

    def forward(self, latents):
        return self.linear(latents).reshape(len(latents), *self.shape)


class Selective(Right):
    """It looks at some coordinates of the latents only."""

    def __init__(self, *, image: ImageShape):
        super().__init__(image=image)
        self.linear = nn.Linear(3, image.channels * image.height * image.width)

    def forward(self, latents):
        return super().forward(latents[:, :3])


WRONG = {
    "test_its_shapes_are_those_asked_for": Mistaken,
    "test_other_sizes_work_or_are_refused": Crashing,
    "test_gradient_reaches_every_parameter": Idle,
    "test_a_run_trains_it": Shy,
    "test_processes_train_it_alike": Counting,
    "test_it_declares_prior_and_range": Undeclared,
    "test_images_keep_to_the_range": Unbounded,
    "test_every_latent_coordinate_matters": Selective,
}
REFUSED = (Mistaken, Undeclared)
