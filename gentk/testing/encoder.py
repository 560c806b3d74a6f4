"""The suite of encoders."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..families import Composition
from ..interfaces import BOUNDS, Encoder, ImageShape
from .likeness import same
from .network import COUNT, random_images
from .trainable import TrainableSuite
from .trial import composed

__all__ = ["EncoderSuite"]

LATENT = 4


class EncoderSuite(TrainableSuite):
    """Images of its shape become latents of the dimension and in the range it declares."""

    kind = "encoder"
    interface: ClassVar[type[Any]] = Encoder

    def supplied(self) -> dict[str, Any]:
        """Return the shape of the images and the dimension of the latents."""
        return {**super().supplied(), "latent": LATENT}

    def inputs(self, network: Any, count: int = COUNT) -> tuple[Tensor, ...]:
        """Return images in the encoder's range."""
        return (random_images(network.image, network.range, count),)

    def outputs(self, network: Any, *inputs: Tensor) -> dict[str, Tensor]:
        """Return the latents."""
        return {"latents": network(*inputs)}

    def trial(self) -> AbstractContextManager[Composition]:
        """Return an auto-encoding run."""
        data = f"gentk-partner,size={self.image.height},channels={self.image.channels}"
        return composed(self.names, loss="reconstruction", encoder=self.spec, data=data)

    def check_shape(self, network: Any, image: ImageShape) -> None:
        """Fail unless it makes latents of images of this shape."""
        latents = self.found(network, random_images(image, network.range))["latents"]
        assert latents.shape == (COUNT, LATENT), (
            f"it makes {tuple(latents.shape)} of {COUNT} images"
        )

    def test_it_declares_ranges_and_dimension(self) -> None:
        """`latent` is what was asked for; `range` and `code_range` have values that gentk knows."""
        network = self.make()
        assert network.latent == LATENT, f"latent is {network.latent}, asked for {LATENT}"
        assert network.range in BOUNDS, f"range is {network.range!r}"
        assert network.code_range in (None, *BOUNDS), f"code_range is {network.code_range!r}"

    def test_latents_keep_to_the_range(self) -> None:
        """Latents are in `code_range`, if there is one, for images of extreme contrast too."""
        network = self.ready()
        [images] = self.inputs(network)
        low, high = BOUNDS.get(network.code_range, (-torch.inf, torch.inf))
        for factor in (1, 100):
            latents = self.found(network, images * factor)["latents"]
            assert low <= latents.min() and latents.max() <= high, (
                f"latents from {latents.min():.3g} to {latents.max():.3g} are not "
                f"{network.code_range}; leave code_range None, or end with a tanh or a sigmoid"
            )

    def test_gradient_reaches_the_image(self) -> None:
        """The latents have a finite gradient in the images, and not zero everywhere."""
        network = self.ready()
        [images] = self.inputs(network)
        images.requires_grad_()
        latents = self.outputs(network, images)["latents"]
        assert latents.requires_grad, "the latents are cut off from the images"
        [slope] = torch.autograd.grad(latents.square().sum(), images, allow_unused=True)
        assert slope is not None, "the latents are cut off from the images"
        assert slope.isfinite().all() and slope.any(), "the gradient is zero or not finite"

    def test_its_last_feature_is_the_code(self) -> None:
        """`features` are floating point by name and end with the latents, as `code`."""
        network = self.ready()
        [images] = self.inputs(network)
        torch.manual_seed(0)
        with torch.no_grad():
            features = network.features(images)
        assert list(features)[-1:] == ["code"], (
            f"the layers are {', '.join(features)}; `code` comes last"
        )
        latents = self.found(network, images)["latents"]
        assert same(features["code"], latents), "`code` is not what forward returns"
