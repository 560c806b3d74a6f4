"""Residual multilayer perceptrons: H, J, the head of an encoder, and F of things that are no images."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from gentk.spectral import normalised

__all__ = ["ResidualMLP"]


class ResidualMLP(nn.Module):
    """h_0 = W x,  h_l = h_{l-1} + W_2 drop(relu(W_1 relu(h_{l-1}))),  output relu(h_blocks).

    Two layers a block, and the map to the width before them.

    Args:
        before: Dimension of x.
        width: Units of all layers, and of the output.
        blocks: Number of blocks.
        dropout: Share of hidden units that training drops.
        spectral: Whether the maps are spectrally normalised.
        eps: Of spectral normalisation.
    """

    def __init__(
        self,
        before: int,
        width: int,
        *,
        blocks: int,
        dropout: float = 0.0,
        spectral: bool = False,
        eps: float = 1e-12,
    ) -> None:
        super().__init__()

        def linear(fan_in: int) -> nn.Linear:
            return normalised(nn.Linear(fan_in, width), spectral, eps)

        self.first = linear(before)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.ReLU(), linear(width), nn.ReLU(), nn.Dropout(dropout), linear(width))
            for _ in range(blocks)
        )

    def forward(self, rows: Tensor) -> Tensor:
        """Return (N, width) for `rows` (N, before)."""
        hidden: Tensor = self.first(rows)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return functional.relu(hidden)
