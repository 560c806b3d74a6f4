"""The fully connected networks of BiGAN: layers that are also given z."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Activation", "Layer", "Layers"]

Activation = Literal["relu", "leaky"]
"""`relu`, or `leaky`: max(h, 0.2 h)."""

STD = 0.02
"""Deviation of the first weights."""

EPS = 1e-8
"""What the released code adds to a batch norm's variance."""


class Layer(nn.Module):
    """y = a(norm(W h + V z + b)), norm a batch norm without gain and bias, which needs no b.

    Args:
        before: Dimension of h.
        after: Dimension of y.
        latent: Dimension of z; 0 if it is not given.
        norm: Whether there is a batch norm.
        bias: Whether there is a b where there is no batch norm.
        eps: Added to the batch norm's variance.
        activation: a; None for none.
    """

    def __init__(
        self,
        before: int,
        after: int,
        *,
        latent: int,
        norm: bool,
        bias: bool,
        eps: float,
        activation: Activation | None,
    ) -> None:
        super().__init__()
        self.main = nn.Linear(before, after, bias=bias and not norm)
        self.beside = nn.Linear(latent, after, bias=False) if latent else None
        self.norm = nn.BatchNorm1d(after, eps=eps, affine=False) if norm else None
        self.activation = activation
        for linear in (self.main, self.beside):
            if linear is not None:
                nn.init.normal_(linear.weight, std=STD)
        if self.main.bias is not None:
            nn.init.zeros_(self.main.bias)

    def forward(self, hidden: Tensor, latents: Tensor | None = None) -> Tensor:
        """Return (N, after) for `hidden` (N, before) and `latents` (N, latent)."""
        sums: Tensor = self.main(hidden)
        if self.beside is not None:
            sums = sums + self.beside(latents)
        if self.norm is not None:
            sums = self.norm(sums)
        if self.activation == "relu":
            return functional.relu(sums)
        return functional.leaky_relu(sums, 0.2) if self.activation == "leaky" else sums


class Layers(nn.ModuleList):
    """Layers one after another; the last has neither norm nor activation.

    Args:
        before: Dimension of what goes in.
        widths: Units of the hidden layers.
        after: Dimension of what comes out.
        latent: Dimension of the z that layers but the first are given; 0 if none are.
        activation: Of the hidden layers.
        first: Whether the first layer has a batch norm too.
        last: Whether the last layer is given z, if any is.
        norm: Whether hidden layers have a batch norm at all.
        bias: Whether layers without a batch norm have a bias.
        eps: Added to the batch norms' variances.
    """

    def __init__(
        self,
        before: int,
        widths: tuple[int, ...],
        after: int,
        *,
        latent: int = 0,
        activation: Activation,
        first: bool = False,
        last: bool = True,
        norm: bool,
        bias: bool,
        eps: float,
    ) -> None:
        sizes = [before, *widths]
        layers = [
            Layer(
                sizes[number],
                width,
                latent=latent if number else 0,
                norm=norm and (first or number > 0),
                bias=bias,
                eps=eps,
                activation=activation,
            )
            for number, width in enumerate(widths)
        ]
        given = latent if widths and last else 0
        layers.append(
            Layer(sizes[-1], after, latent=given, norm=False, bias=bias, eps=eps, activation=None)
        )
        super().__init__(layers)

    def outputs(self, rows: Tensor, latents: Tensor | None = None) -> list[Tensor]:
        """Return what every layer makes, of `rows` (N, before) and `latents` (N, latent)."""
        outputs = []
        hidden = rows
        for layer in self:
            hidden = layer(hidden, latents)
            outputs.append(hidden)
        return outputs
