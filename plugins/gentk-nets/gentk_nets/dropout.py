"""Dropout of the inputs of fully connected layers: a share of each, and what becomes of the rest."""

from __future__ import annotations

from torch import Tensor, nn

from gentk.errors import BadOption

__all__ = ["Unscaled", "shares_of"]


class Unscaled(nn.Dropout):
    """Dropout in training that leaves the inputs it keeps as they are."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with a share `p` of its values 0 in training, and unchanged in eval mode."""
        return super().forward(input) * (1 - self.p) if self.training else input


def shares_of(owner: str, dropout: tuple[float, ...], layers: int) -> tuple[float, ...]:
    """Return one share in [0, 1) for each layer, zeros if `dropout` is empty; raise `BadOption`."""
    if dropout and (len(dropout) != layers or not all(0 <= p < 1 for p in dropout)):
        example = "+".join(["0.2", *["0.5"] * (layers - 1)])
        each = f"each of the {layers} layers" if layers > 1 else "its one layer"
        raise BadOption(
            f"{owner}: dropout is one share in [0, 1) for {each}, not "
            f"{'+'.join(map(str, dropout))}; write dropout={example}"
        )
    return dropout or (0.0,) * layers
