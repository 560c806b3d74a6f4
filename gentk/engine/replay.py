"""Replay: going through a chunk of a virtual batch twice, exactly alike."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import randomness

__all__ = ["Replay"]


@dataclass(frozen=True)
class Replay:
    """The random state and a module's buffers (batch norm, spectral norm) at one moment."""

    device: torch.device
    random: dict[str, Tensor]
    buffers: list[Tensor]

    @classmethod
    @torch.no_grad()
    def capture(cls, module: nn.Module, device: torch.device) -> Replay:
        """Remember this moment."""
        buffers = [buffer.clone() for buffer in module.buffers()]
        return cls(device, randomness.get_state(device), buffers)

    @torch.no_grad()
    def restore(self, module: nn.Module) -> None:
        """Go back to it."""
        randomness.set_state(self.random, self.device)
        for buffer, kept in zip(module.buffers(), self.buffers, strict=True):
            buffer.copy_(kept)
