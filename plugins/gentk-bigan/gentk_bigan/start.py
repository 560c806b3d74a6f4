"""The first weights of ALI's networks."""

from __future__ import annotations

from torch import nn

__all__ = ["small"]


def small(module: nn.Module) -> None:
    """Give a linear map or convolution weights N(0, 0.01^2) and biases 0."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
