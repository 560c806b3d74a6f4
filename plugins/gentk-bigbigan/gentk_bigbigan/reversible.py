"""Reversible units: activations are computed again on the way back, from the outputs, not kept.

    y1 = x1 + f(x2),    y2 = x2 + g(y1)        x2 = y2 - g(y1),    x1 = y1 - f(x2)

A chain of units keeps its last output only, whatever its depth; going back costs one more pass
through f and g.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["ReversibleChain", "ReversibleUnit"]


class ReversibleUnit(nn.Module):
    """(x1, x2) -> (y1, y2), as above.

    Args:
        f: From maps to maps of the same shape.
        g: Likewise.
    """

    def __init__(self, f: nn.Module, g: nn.Module) -> None:
        super().__init__()
        self.f = f
        self.g = g

    def forward(self, one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
        """Return y1 and y2."""
        one = one + self.f(two)
        return one, two + self.g(one)


class ReversibleChain(nn.Module):
    """Reversible units one after another, on the two halves of the channels.

    Args:
        units: The units.
        flat: Whether activations are computed again on the way back; otherwise autograd keeps them,
            which is faster.

    Source: Gomez et al., The Reversible Residual Network: Backpropagation Without Storing Activations,
    2017, arXiv:1707.04585.
    """

    def __init__(self, units: Sequence[ReversibleUnit], *, flat: bool = True) -> None:
        super().__init__()
        self.units = nn.ModuleList(units)
        self.flat = flat

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape, (N, C, H, W), C even."""
        one, two = maps.chunk(2, dim=1)
        if self.flat and torch.is_grad_enabled():
            trained = [p for p in self.parameters() if p.requires_grad]
            one, two = _Reversed.apply(one, two, self, *trained)
        else:
            one, two = self.run(one, two)
        return torch.cat([one, two], dim=1)

    def run(self, one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
        """Go through all units."""
        for unit in self.units:
            one, two = unit(one, two)
        return one, two


class _Reversed(torch.autograd.Function):
    """A chain whose gradient is computed unit by unit from its outputs.

    Parameters are arguments so that autograd asks for their gradients; `forward` reads them from the
    chain.
    """

    @staticmethod
    def forward(
        ctx: Any, one: Tensor, two: Tensor, chain: ReversibleChain, *trained: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.chain = chain
        ctx.trained = trained
        ctx.cast = _cast(one.device.type)
        # Sums of half precision and float32 are float32: what is subtracted again stays exact enough.
        one, two = chain.run(one.float() if ctx.cast else one, two.float() if ctx.cast else two)
        ctx.save_for_backward(one, two)
        return one, two

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        one, two = ctx.saved_tensors
        slope_one, slope_two = grads
        slopes: dict[Tensor, Tensor] = {}
        again = torch.autocast(**ctx.cast) if ctx.cast else nullcontext()
        with again, _quiet(ctx.chain):
            for unit in reversed(ctx.chain.units):
                two, back = _undo(unit.g, one, two, slope_two, slopes)
                slope_one = slope_one + back
                one, back = _undo(unit.f, two, one, slope_one, slopes)
                slope_two = slope_two + back
        return slope_one, slope_two, None, *(slopes.get(p) for p in ctx.trained)


def _undo(
    function: nn.Module, base: Tensor, total: Tensor, slope: Tensor, slopes: dict[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Undo total = x + function(base).

    Args:
        function: f or g.
        base: What it saw.
        total: The sum.
        slope: Gradient with respect to the sum.
        slopes: Where gradients of the function's parameters go.

    Returns:
        x, and the gradient with respect to `base` that comes through the function.
    """
    trained = [p for p in function.parameters() if p.requires_grad]
    with torch.enable_grad():
        leaf = base.detach().requires_grad_()
        output = function(leaf)
    back, *more = torch.autograd.grad(output, [leaf, *trained], slope.to(output.dtype))
    slopes.update(zip(trained, more, strict=True))
    return total - output.detach(), back


def _cast(kind: str) -> dict[str, Any]:
    """Return the settings of autocast on a device; none where it is off, or the device has none."""
    if not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
        return {}
    return {"device_type": kind, "dtype": torch.get_autocast_dtype(kind)}


@contextmanager
def _quiet(chain: nn.Module) -> Iterator[None]:
    """Let batch norms in training leave their running statistics alone: they have seen the batch."""
    norms = [m for m in chain.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    tracking = [norm.track_running_stats for norm in norms]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, kept in zip(norms, tracking, strict=True):
            norm.track_running_stats = kept
