"""Buffers: what a loss with a state keeps in checkpoints besides the networks that phases train."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..interfaces import AdversarialLoss

__all__ = ["LossBuffers"]


class LossBuffers:
    """The buffers of a loss that are not its networks'; none of a loss without a state.

    Args:
        loss: The loss.
    """

    def __init__(self, loss: AdversarialLoss) -> None:
        networks = {id(b) for network in loss.networks().values() for b in network.buffers()}
        named = loss.named_buffers() if isinstance(loss, nn.Module) else ()
        self.buffers = {name: buffer for name, buffer in named if id(buffer) not in networks}

    def state_dict(self) -> dict[str, Tensor]:
        """Return the buffers by name."""
        return dict(self.buffers)

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Fill the buffers; raise `KeyError` for one that the state lacks."""
        for name, buffer in self.buffers.items():
            buffer.copy_(state[name])
