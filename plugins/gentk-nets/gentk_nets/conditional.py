"""Batch norm with a gain and a bias for each class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ClassNorm", "norm_of"]


class ClassNorm(nn.Module):
    """y = gain_c norm(x) + bias_c, norm(.) being batch norm over all classes, c the class of x.

    Gains start at 1 and biases at 0 for all classes alike.

    Args:
        channels: Channels of x.
        classes: Number of classes.

    Source: Dumoulin, Shlens and Kudlur, A Learned Representation for Artistic Style, 2017,
    arXiv:1610.07629, for instance norm; for batch norm Miyato and Koyama, cGANs with Projection
    Discriminator, 2018, arXiv:1802.05637.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Parameter(torch.ones(classes, channels))
        self.bias = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, maps: Tensor, labels: Tensor) -> Tensor:
        """Return maps of the same shape, (N, C, H, W), for classes (N,) int64."""
        normed: Tensor = self.norm(maps)
        gain, bias = self.gain[labels][..., None, None], self.bias[labels][..., None, None]
        return torch.addcmul(bias, gain, normed)


def norm_of(norm: nn.Module, maps: Tensor, labels: Tensor | None) -> Tensor:
    """Return what a batch norm makes of maps, for the class of each if it goes by classes."""
    normed: Tensor = norm(maps, labels) if isinstance(norm, ClassNorm) else norm(maps)
    return normed
