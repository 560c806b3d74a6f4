"""The suite of networks that are trained: generators, encoders and critics."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import Incompatible
from ..families import Composition
from ..interfaces import ImageShape
from .exactness import check_ranks
from .likeness import same
from .network import NetworkSuite, bits
from .trial import trained

__all__ = ["TrainableSuite"]


class TrainableSuite(NetworkSuite):
    """What every trained network must do.

    Attributes:
        shapes: Shapes of images that it must work with or refuse.
    """

    shapes: ClassVar[tuple[ImageShape, ...]] = (
        ImageShape(1, 28, 28),
        ImageShape(3, 16, 16),
        ImageShape(2, 5, 7),
        ImageShape(6, 1, 1),
    )

    def supplied(self) -> dict[str, Any]:
        """Return the shape of the images."""
        return {"image": self.image}

    @abstractmethod
    def trial(self) -> AbstractContextManager[Composition]:
        """Return a composed run that trains it."""

    @abstractmethod
    def check_shape(self, network: Any, image: ImageShape) -> None:
        """Fail unless the network works with images of this shape."""

    def test_its_shapes_are_those_asked_for(self) -> None:
        """It works with the images it was built for, and `image` says which."""
        network = self.ready()
        assert network.image == self.image, f"image is {network.image}, built for {self.image}"
        self.check_shape(network, self.image)

    def test_other_sizes_work_or_are_refused(self) -> None:
        """Images of any shape work, or the constructor raises `Incompatible`."""
        for shape in self.shapes:
            try:
                network = self.make(image=shape).eval()
            except Incompatible:
                continue
            except Exception as error:
                raise AssertionError(
                    f"{tuple(shape)} ends in {type(error).__name__}: {error}; raise "
                    "gentk.errors.Incompatible for what it cannot do"
                ) from error
            try:
                self.check_shape(network, shape)
            except Exception as error:
                raise AssertionError(f"built for {tuple(shape)}: {error}") from error

    def test_gradient_reaches_every_parameter(self) -> None:
        """All parameters have a finite gradient: none is left out."""
        network = self.make().train()
        torch.manual_seed(0)
        outputs = self.outputs(network, *self.inputs(network))
        torch.stack([_projected(value) for value in outputs.values()]).sum().backward()
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, f"{name} has no part in the output"
                assert parameter.grad.isfinite().all(), f"the gradient of {name} is not finite"

    def test_a_run_trains_it(self) -> None:
        """A run of a few steps ends well and moves its weights."""
        with self.trial() as composition:
            network = getattr(composition, self.kind)
            before = bits(network)
            trained(composition)
            after = bits(network)
        assert any(not same(before[name], after[name]) for name in before), "nothing has moved"

    def test_processes_train_it_alike(self) -> None:
        """Two processes give it the gradient that one gives it with the same chunks."""
        check_ranks(self.trial)


def _projected(value: Tensor) -> Tensor:
    """Return a fixed random combination of all values."""
    draw = torch.Generator().manual_seed(1)
    return (value * torch.randn(value.shape, generator=draw).to(value)).sum()
