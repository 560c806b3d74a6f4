"""The suite of networks: what holds for extractors, generators, encoders and critics alike."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..engine.device import describe_devices
from ..interfaces import ImageShape, Range
from .elsewhere import META, elsewhere
from .likeness import difference, same
from .suite import Suite

__all__ = ["NetworkSuite", "bits", "loose_tensors", "random_images"]

COUNT = 5
"""Samples that a network is tried with."""


class NetworkSuite(Suite):
    """What every network must do.

    Attributes:
        image: The shape of the images it is tried with.
    """

    image: ClassVar[ImageShape] = ImageShape(3, 32, 32)

    @abstractmethod
    def inputs(self, network: Any, count: int = COUNT) -> tuple[Tensor, ...]:
        """Return `count` samples of all that the network takes, the same at every call."""

    @abstractmethod
    def outputs(self, network: Any, *inputs: Tensor) -> dict[str, Tensor]:
        """Return all that the network makes of them, by name."""

    def ready(self) -> Any:
        """Return the network in eval mode."""
        return self.make().eval()

    def found(self, network: Any, *inputs: Tensor) -> dict[str, Tensor]:
        """Return the network's outputs, without a graph, under the random state of every other call."""
        torch.manual_seed(0)
        with torch.no_grad():
            return self.outputs(network, *inputs)

    def test_the_same_input_gives_the_same_output(self) -> None:
        """In eval mode the network is a function: the same input, the same output."""
        network = self.ready()
        inputs = self.inputs(network)
        with torch.no_grad():
            first, second = (self.outputs(network, *inputs) for _ in range(2))
        for name, value in first.items():
            if name in second:
                assert same(value, second[name]), f"{name} changes from call to call"

    def test_batch_mates_do_not_matter(self) -> None:
        """In eval mode the output of a sample is the same whatever else is in the batch."""
        network = self.ready()
        inputs = self.inputs(network)
        whole, part = self.found(network, *inputs), self.found(network, *(x[1:3] for x in inputs))
        for name in whole.keys() & part.keys():
            gap = difference(whole[name][1:3], part[name])
            assert gap < 1e-3, f"{name} of a sample depends on its batch (relative {gap:.1e})"

    def test_memory_format_does_not_matter(self) -> None:
        """Channels-last images and weights, as runs use them, give the same."""
        network = self.ready()
        inputs = self.inputs(network)
        plain = self.found(network, *inputs)
        network.to(memory_format=torch.channels_last)
        last = self.found(network, *map(_channels_last, inputs))
        for name in plain.keys() & last.keys():
            gap = difference(plain[name], last[name])
            assert gap < 1e-3, f"{name} depends on the memory format (relative {gap:.1e})"

    def test_number_types_do_not_matter(self) -> None:
        """In float64 it computes the same, under bfloat16 autocast nearly, and stays finite."""
        network = self.ready()
        inputs = self.inputs(network)
        plain = self.found(network, *inputs)
        try:
            double = self.found(copy.deepcopy(network).double(), *(x.double() for x in inputs))
        except RuntimeError as error:
            raise AssertionError(f"it does not compute in float64: {error}") from error
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = self.found(network, *inputs)
        for name in plain.keys() & double.keys() & half.keys():
            gap = difference(plain[name], double[name])
            assert gap < 1e-2, f"{name} differs in float64 (relative {gap:.1e})"
            assert half[name].isfinite().all(), f"{name} is not finite under bfloat16 autocast"
            gap = difference(plain[name], half[name])
            assert gap < 0.5, f"{name} differs under bfloat16 autocast (relative {gap:.1e})"

    def test_it_moves_as_a_whole(self) -> None:
        """Tensors are parameters or buffers, so that `.to(device)` moves all of them.

        Where there is a GPU, it computes the same there.
        """
        network = self.ready()
        loose = list(loose_tensors(network))
        assert not loose, f"{', '.join(loose)} would stay behind; use register_buffer"
        inputs = self.inputs(network)
        plain = self.found(network, *inputs)
        for device in describe_devices().keys() - {"cpu"}:
            moved = self.found(copy.deepcopy(network).to(device), *(x.to(device) for x in inputs))
            for name in plain.keys() & moved.keys():
                gap = difference(plain[name], moved[name].cpu())
                assert gap < 1e-2, f"{name} differs on {device} (relative {gap:.1e})"

    def test_tensors_are_made_where_they_are_used(self) -> None:
        """On another device it makes no tensor on the CPU, and reads no values: tried on `meta`."""
        network = self.make()
        inputs = [x.to(META).requires_grad_() for x in self.inputs(network)]
        network.to(META)

        def step() -> None:
            values = [*self.outputs(network, *inputs).values()]
            values += network.penalty().values() if hasattr(network, "penalty") else ()
            torch.autograd.backward([value.sum() for value in values if value.requires_grad])

        elsewhere(step)

    def test_its_state_dict_is_all_of_it(self) -> None:
        """A second network with the first one's `state_dict` computes the same."""
        first, second = self.ready(), self.make(seed=1).eval()
        second.load_state_dict(first.state_dict())
        inputs = self.inputs(first)
        mine, theirs = self.found(first, *inputs), self.found(second, *inputs)
        for name in mine.keys() & theirs.keys():
            gap = difference(mine[name], theirs[name])
            assert gap < 1e-5, f"{name} depends on something that is not in the state dict"

    def test_inputs_are_left_alone(self) -> None:
        """What it is given is not changed in place: others are given it too."""
        network = self.ready()
        inputs = self.inputs(network)
        kept = [x.clone() for x in inputs]
        self.found(network, *inputs)
        assert all(map(torch.equal, inputs, kept)), "it changes its input in place"


def bits(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of all parameters and buffers."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: value.detach().clone() for name, value in named}


def loose_tensors(module: nn.Module) -> Iterator[str]:
    """Yield the names of tensors that a module and those below it hold, and do not register."""
    for name, part in module.named_modules():
        for key, value in vars(part).items():
            if key in ("_parameters", "_buffers", "_modules"):
                continue
            held = value.values() if isinstance(value, dict) else value
            items = held if isinstance(value, list | tuple | dict) else [value]
            if any(isinstance(item, Tensor) for item in items):
                yield f"{name}.{key}".removeprefix(".")


def random_images(shape: ImageShape, have: Range, count: int = COUNT) -> Tensor:
    """Return images of independent values, the same at every call."""
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(count, *shape, generator=draw)
    return images if have == "unit" else images * 2 - 1


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
