"""The suite of generators."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..families import Composition
from ..interfaces import BOUNDS, Generator, ImageShape
from ..prior import Prior
from .network import COUNT
from .trainable import TrainableSuite
from .trial import composed

__all__ = ["GeneratorSuite"]


class GeneratorSuite(TrainableSuite):
    """Latents of its prior become images of the shape and in the range it declares."""

    kind = "generator"
    interface: ClassVar[type[Any]] = Generator

    def inputs(self, network: Any, count: int = COUNT) -> tuple[Tensor, ...]:
        """Return latents of the prior."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return (network.prior.draw(count),)

    def outputs(self, network: Any, *inputs: Tensor) -> dict[str, Tensor]:
        """Return the images."""
        return {"images": network(*inputs)}

    def trial(self) -> AbstractContextManager[Composition]:
        """Return a matching run in pixels."""
        data = f"gentk-partner,size={self.image.height},channels={self.image.channels}"
        return composed(self.names, generator=self.spec, data=data)

    def check_shape(self, network: Any, image: ImageShape) -> None:
        """Fail unless it makes images of this shape."""
        images = self.found(network, *self.inputs(network))["images"]
        assert images.shape == (COUNT, *image), (
            f"it makes {tuple(images.shape)}, not {(COUNT, *image)}"
        )

    def test_it_declares_prior_and_range(self) -> None:
        """`prior` is a `gentk.prior.Prior`, `range` is `unit` or `signed`."""
        network = self.make()
        assert isinstance(network.prior, Prior), f"prior is a {type(network.prior).__name__}"
        assert network.range in BOUNDS, f"range is {network.range!r}"

    def test_images_keep_to_the_range(self) -> None:
        """Values are in the declared range, for latents far out too."""
        network = self.ready()
        [latents] = self.inputs(network)
        low, high = BOUNDS.get(network.range, (-torch.inf, torch.inf))
        for factor in (1, 100):
            images = self.found(network, latents * factor)["images"]
            assert low <= images.min() and images.max() <= high, (
                f"values from {images.min():.3g} to {images.max():.3g} are not {network.range}; end "
                "with a tanh or a sigmoid"
            )

    def test_every_latent_coordinate_matters(self) -> None:
        """The images have a gradient in each coordinate of z."""
        network = self.ready()
        [latents] = self.inputs(network, 16)
        latents.requires_grad_()
        images = self.outputs(network, latents)["images"]
        draw = torch.Generator().manual_seed(1)
        weights = torch.randn(images.shape, generator=draw)
        [slope] = torch.autograd.grad((images * weights).sum(), latents)
        # Behind z a latent may have a class, which is chosen and not weighed.
        size = network.prior.dimension
        idle = int((slope[:, :size] == 0).all(0).sum())
        assert not idle, f"{idle} of the prior's {size} coordinates change nothing"
