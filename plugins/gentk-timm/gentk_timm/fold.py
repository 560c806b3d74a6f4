"""Fold: batch norms of a frozen network, moved into the convolutions before them.

In eval mode a batch norm is y -> a y + b per channel, a = gamma / sqrt(var + eps),
b = beta - a mean. A convolution that feeds only that norm can have the weights a W and the bias
a bias + b instead, and the norm is gone from the forward and the backward pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .uses import Uses

__all__ = ["FORMAT", "FoldedNorm", "fold"]

FORMAT = 1
"""Part of fingerprints; raised whenever folding changes the last digits of features."""


class FoldedNorm(nn.Module):
    """What is left of a norm with a built-in activation: the activation, under its old name."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.act = act

    def forward(self, values: Tensor) -> Tensor:
        """Return the activation of the convolution's output."""
        activated: Tensor = self.act(values)
        return activated


def fold(network: nn.Module, run: Callable[[], Iterable[Tensor]]) -> int:
    """Fold each batch norm of a network in eval mode into the convolution that feeds it.

    Args:
        network: Changed in place.
        run: Runs the network as it will be used and returns the outputs that are wanted: these do
            not change. What feeds what is read off this run.

    Returns:
        The number of norms folded.
    """
    convolutions: dict[str, nn.Conv2d] = {}
    norms: dict[str, nn.BatchNorm2d] = {}
    for path, module in network.named_modules():
        # Exact types: a subclass may do something to its weight on the way, as standardisation.
        if isinstance(module, nn.Conv2d) and type(module) in (nn.Conv2d, Conv2dSame):
            convolutions[path] = module
        elif isinstance(module, nn.BatchNorm2d) and _is_affine_map(module):
            norms[path] = module
    pairs = _pairs(convolutions, norms, run)
    for norm_path, convolution_path in pairs.items():
        norm = norms[norm_path]
        _merge(convolutions[convolution_path], norm)
        parent, _, name = norm_path.rpartition(".")
        rest = FoldedNorm(norm.act) if isinstance(norm, BatchNormAct2d) else nn.Identity()
        setattr(network.get_submodule(parent), name, rest)
    return len(pairs)


def _is_affine_map(norm: nn.BatchNorm2d) -> bool:
    """Say whether a norm is a fixed affine map, perhaps with an activation and nothing else."""
    if norm.running_mean is None:
        return False
    if type(norm) is BatchNormAct2d:
        return isinstance(norm.drop, nn.Identity)
    return type(norm) is nn.BatchNorm2d


class _Wiring:
    """What a run shows of convolutions and norms: who gave which tensor, who took it, how often."""

    def __init__(self) -> None:
        self.outputs: dict[str, Tensor] = {}
        self.inputs: dict[str, Tensor] = {}
        self.calls: Counter[str] = Counter()
        self.uses = Uses()

    def after_convolution(self, path: str) -> Callable[[nn.Module, Any, Tensor], None]:
        """Return a hook that notes what a convolution gives."""

        def note(module: nn.Module, arguments: Any, output: Tensor) -> None:
            self.calls[path] += 1
            self.outputs[path] = output
            self.uses.watch(output)

        return note

    def before_norm(self, path: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        """Return a hook that notes what a norm takes."""

        def note(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            self.calls[path] += 1
            self.inputs[path] = arguments[0]

        return note

    def pairs(self, wanted: Iterable[Tensor]) -> dict[str, str]:
        """Return norm -> convolution for outputs that one norm reads, once, and nothing else."""
        kept = {id(tensor) for tensor in wanted}
        source = {id(output): path for path, output in self.outputs.items()}
        return {
            norm: source[id(values)]
            for norm, values in self.inputs.items()
            if id(values) in source
            and id(values) not in kept
            and self.calls[norm] == self.calls[source[id(values)]] == self.uses.count(values) == 1
        }


def _pairs(
    convolutions: dict[str, nn.Conv2d],
    norms: dict[str, nn.BatchNorm2d],
    run: Callable[[], Iterable[Tensor]],
) -> dict[str, str]:
    """Return norm -> convolution where the norm is all that ever reads the convolution's output.

    Which tensor a norm is given is a matter of identity; that no other operation takes it, be it a
    module's or a function's, is seen by counting the uses of that very tensor.
    """
    wiring = _Wiring()
    handles = [
        c.register_forward_hook(wiring.after_convolution(p)) for p, c in convolutions.items()
    ]
    handles += [n.register_forward_pre_hook(wiring.before_norm(p)) for p, n in norms.items()]
    try:
        with torch.no_grad(), wiring.uses:
            wanted = list(run())
    finally:
        for handle in handles:
            handle.remove()
    return wiring.pairs(wanted)


@torch.no_grad()
def _merge(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Give the convolution the weights of itself followed by the norm.

    torch's formula, in float64: in float32 it would change the last digits of the features.
    """
    kernel = convolution.weight
    weight, bias = fuse_conv_bn_weights(
        kernel.double(),
        _double(convolution.bias),
        cast(Tensor, norm.running_mean).double(),
        cast(Tensor, norm.running_var).double(),
        norm.eps,
        _double(norm.weight),
        _double(norm.bias),
    )
    convolution.weight = _frozen(weight, kernel.dtype)
    convolution.bias = _frozen(bias, kernel.dtype)


def _double(values: Tensor | None) -> Tensor | None:
    """Return values in float64, if there are any: a norm need not have gains, nor a layer biases."""
    return None if values is None else values.double()


def _frozen(values: Tensor, dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(values.to(dtype), requires_grad=False)
