"""Taps: the places of a network where its forward pass is listened to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from gentk.errors import Incompatible
from gentk.interfaces import Features

from .uses import Uses

__all__ = ["Call", "Entry", "Tap", "collect", "free_unused", "overwritten", "trace"]

Entry = Literal["forward_features", "forward"]
"""The method of the network that is run: without its head, or with it."""


class Call(NamedTuple):
    """One call of a module during a forward pass.

    Attributes:
        path: The module's name in `named_modules()`.
        nth: 1 for its first call in the pass, 2 for its second.
        shape: The shape of its output; None if that is not one tensor.
    """

    path: str
    nth: int
    shape: tuple[int, ...] | None

    @property
    def name(self) -> str:
        """The name of the layer: the module's, with `#2` and so on for later calls."""
        return self.path if self.nth == 1 else f"{self.path}#{self.nth}"


class Tap(NamedTuple):
    """A call whose output is a feature.

    Attributes:
        call: The call.
        channels_last: Its output is (N, H, W, C) and is to be given as (N, C, H, W).
        copied: Its output is overwritten later in the pass, so a copy is kept.
    """

    call: Call
    channels_last: bool = False
    copied: bool = False


class _Enough(Exception):
    """Ends a forward pass: nothing after the last tap is needed."""


class _Pass:
    """One forward pass with hooks on the tapped modules; the hooks are gone when `run` returns.

    `seen` is called with the name and the output of every tap, as it comes by.
    """

    def __init__(self, taps: Iterable[Tap], seen: Callable[[str, Tensor], None] | None) -> None:
        self.pending = {(tap.call.path, tap.call.nth): tap for tap in taps}
        self.features: Features = {}
        self._seen = seen
        self._calls: Counter[str] = Counter()

    def run(self, network: nn.Module, entry: Entry, images: Tensor) -> None:
        """Run the network until every tap was reached."""
        handles = []
        try:
            for path in dict.fromkeys(path for path, _ in self.pending):
                hook = self._hook(path)
                handles.append(network.get_submodule(path).register_forward_hook(hook))
            getattr(network, entry)(images)
        except _Enough:
            pass
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, path: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(module: nn.Module, arguments: Any, output: Any) -> None:
            self._calls[path] += 1
            tap = self.pending.pop((path, self._calls[path]), None)
            tensor = _tensor(output)
            if tap is None or tensor is None:
                return
            if self._seen is not None:
                self._seen(tap.call.name, tensor)
            feature = tensor.clone() if tap.copied else tensor
            self.features[tap.call.name] = (
                feature.permute(0, 3, 1, 2) if tap.channels_last else feature
            )
            if not self.pending:
                raise _Enough

        return keep


def collect(network: nn.Module, entry: Entry, taps: Iterable[Tap], images: Tensor) -> Features:
    """Run the network as far as the last tap and return what the taps saw, in that order.

    Raises:
        Incompatible: The network did not call a tapped module.
    """
    forward = _Pass(taps, None)
    forward.run(network, entry, images)
    if forward.pending:
        missed = ", ".join(path for path, _ in forward.pending)
        raise Incompatible(
            f"the layers {missed} do not run on {_size(images)} images; type other layers=, or "
            f"another size with resize="
        )
    return forward.features


def overwritten(
    network: nn.Module, entry: Entry, taps: Iterable[Tap], images: Tensor
) -> frozenset[str]:
    """Return the names of the taps whose output a later operation overwrites in place.

    torch counts the in-place operations on the memory of each tensor; the count at the tap is
    compared with that at the end of the pass.
    """
    versions: dict[str, tuple[Tensor, int]] = {}

    def note(name: str, output: Tensor) -> None:
        versions[name] = output, output._version

    with torch.no_grad():
        _Pass(taps, note).run(network, entry, images)
    return frozenset(
        name for name, (output, version) in versions.items() if output._version != version
    )


def trace(network: nn.Module, entry: Entry, images: Tensor) -> list[Call]:
    """Run the network and return the calls of all its modules, in the order in which they end."""
    calls: list[Call] = []
    counts: Counter[str] = Counter()

    def hook(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(module: nn.Module, arguments: Any, output: Any) -> None:
            counts[path] += 1
            tensor = _tensor(output)
            shape = None if tensor is None else tuple(tensor.shape)
            calls.append(Call(path, counts[path], shape))

        return note

    modules = [(path, module) for path, module in network.named_modules() if path]
    handles = [module.register_forward_hook(hook(path)) for path, module in modules]
    try:
        with torch.no_grad():
            getattr(network, entry)(images)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def free_unused(network: nn.Module, entry: Entry, taps: Iterable[Tap], images: Tensor) -> None:
    """Drop the network's parts (classifier, head) of which no parameter is used up to the last tap.

    VGG's classifier has 124 of its 144 million parameters.
    """
    uses = Uses(network.parameters())
    with torch.no_grad(), uses:
        collect(network, entry, taps, images)
    for name, part in list(network.named_children()):
        parameters = list(part.parameters())
        if parameters and not any(uses.count(parameter) for parameter in parameters):
            setattr(network, name, nn.Identity())


def _tensor(output: Any) -> Tensor | None:
    """Return the output if it is a tensor, or the only tensor of a tuple, else None."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, tuple | list):
        tensors = [item for item in output if isinstance(item, Tensor)]
        return tensors[0] if len(tensors) == 1 else None
    return None


def _size(images: Tensor) -> str:
    return f"{images.shape[-2]}x{images.shape[-1]}"
