"""Weight averaging: a smoothed copy of the generator, used for sampling.

    w_avg <- beta w_avg + (1 - beta) w,    beta_t = min(beta, (1 + t) / (10 + t))

over parameters and floating-point buffers (batch norm's running statistics: without them the averaged
weights would be normalised with another network's statistics); integer buffers are copied. The ramp of
beta lets the average forget the random start of short runs.
"""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]

M = TypeVar("M", bound=nn.Module)


class WeightAverage(Generic[M]):
    """The average of a module's weights over steps.

    Args:
        module: Whose weights.
        decay: beta, 0 <= beta < 1, per optimiser step.
    """

    def __init__(self, module: M, decay: float) -> None:
        self.source = module
        self.module: M = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        beta = min(self.decay, (1 + self.steps) / (10 + self.steps))
        ours, theirs = _tensors(self.module), _tensors(self.source)
        floats = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - beta)
        for a, b in zip(ours, theirs, strict=True):
            if not a.is_floating_point():
                a.copy_(b)

    def state_dict(self) -> dict[str, object]:
        """Return the averaged weights and the number of steps."""
        return {"steps": self.steps, "weights": self.module.state_dict()}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take up what `state_dict` returned."""
        self.steps = int(state["steps"])  # type: ignore[call-overload]
        self.module.load_state_dict(state["weights"])  # type: ignore[arg-type]


def _tensors(module: nn.Module) -> list[Tensor]:
    return [parameter.data for parameter in module.parameters()] + list(module.buffers())
