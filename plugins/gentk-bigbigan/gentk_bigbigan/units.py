"""Residual functions with batch norm and ReLU before each convolution."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Residual", "Unit", "convolutions"]


def convolutions(before: int, after: int, *, stride: int, wide: bool) -> list[nn.Conv2d]:
    """Return the convolutions of a residual function, He-normal, without biases.

    Args:
        before: Channels of its input.
        after: Channels of its output.
        stride: By what it divides the side.
        wide: Two 3x3 convolutions, rather than 1x1, 3x3, 1x1 through a quarter of the channels.
    """
    if wide:
        sizes = [(before, after, 3, stride), (after, after, 3, 1)]
    else:
        inner = max(after // 4, 1)
        sizes = [(before, inner, 1, 1), (inner, inner, 3, stride), (inner, after, 1, 1)]
    layers = [nn.Conv2d(a, b, k, stride=s, padding=k // 2, bias=False) for a, b, k, s in sizes]
    for conv in layers:
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return layers


class Residual(nn.Module):
    """f(x) = conv(relu(norm(... conv(relu(norm(x))) ...))).

    Args:
        before: Channels of x.
        after: Channels of f(x).
        stride: By what it divides the side.
        wide: As `convolutions` takes it.
    """

    def __init__(self, before: int, after: int, *, stride: int = 1, wide: bool) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convolutions(before, after, stride=stride, wide=wide))
        self.norms = nn.ModuleList(nn.BatchNorm2d(conv.in_channels) for conv in self.convs)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        """Return f(maps)."""
        return self.after(self.active(maps))

    def active(self, maps: Tensor) -> Tensor:
        """Return relu(norm(maps)), which is what the first convolution sees."""
        return functional.relu(self.norms[0](maps))

    def after(self, active: Tensor) -> Tensor:
        """Return f of what `active` gave."""
        hidden: Tensor = self.convs[0](active)
        for norm, conv in zip(self.norms[1:], self.convs[1:], strict=True):
            hidden = conv(functional.relu(norm(hidden)))
        return hidden


class Unit(nn.Module):
    """y = x + f(x); where side or channels change, y = conv(relu(norm(x))) + f(x), the relu shared.

    Args:
        before: Channels of x.
        after: Channels of y.
        stride: By what it divides the side.
        wide: As `convolutions` takes it.
    """

    def __init__(self, before: int, after: int, *, stride: int = 1, wide: bool) -> None:
        super().__init__()
        self.residual = Residual(before, after, stride=stride, wide=wide)
        self.bypass: nn.Conv2d | None = None
        if before != after or stride != 1:
            self.bypass = nn.Conv2d(before, after, 1, stride=stride, bias=False)
            nn.init.kaiming_normal_(self.bypass.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, maps: Tensor) -> Tensor:
        """Return y of `maps`, x."""
        active = self.residual.active(maps)
        beside = maps if self.bypass is None else self.bypass(active)
        joined: Tensor = beside + self.residual.after(active)
        return joined
