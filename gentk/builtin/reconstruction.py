"""The reconstruction loss of auto-encoders: how far y = G(E(x)) is from x.

    bernoulli   -sum_i x_i log y_i + (1 - x_i) log(1 - y_i)       cross-entropy, x and y in [0, 1]
    mse         sum_i (x_i - y_i)^2
    l1          sum_i |x_i - y_i|
    laplacian   sum_j 2^(ej) |L^j(x) - L^j(y)|_1                  L^j: level j of a Laplacian pyramid

over the values of an image, and the mean over images. Level j = 0 is the finest; the last is what is
left after the others, a blurred image. GFMN's text has e = -2, the usual definition e = 2.

Sources: Y. Li et al., "Generative Moment Matching Networks", 2015, arXiv:1502.02761 (bernoulli); C.
Nogueira dos Santos et al., "Learning Implicit Generative Models by Matching Perceptual Features",
2019, arXiv:1904.02762 (mse, laplacian); P. Bojanowski et al., "Optimizing the Latent Space of Generative
Networks", 2018, arXiv:1707.05776 (e = 2); P. Burt and E. Adelson, "The Laplacian Pyramid as a Compact
Image Code", 1983 (the pyramid).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import BadOption, Incompatible
from ..interfaces import ReconstructionLoss

__all__ = ["Reconstruction", "doubled", "pyramid"]

TAPS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""The binomial filter of Burt and Adelson."""


class Reconstruction(ReconstructionLoss):
    """A distance of images and their reconstructions, see the module; the one term `reconstruction`.

    Args:
        distance: Which one. `bernoulli` reads grey values as probabilities.
        reduction: Add up the values of an image, or divide that sum by their number.
        levels: Levels of the pyramid, the blurred rest included; fewer where the image is small.
        exponent: e, where level j of the pyramid weighs 2^(ej).

    Raises:
        BadOption: If `levels` is below 1.
    """

    range = "unit"

    def __init__(
        self,
        *,
        distance: Literal["bernoulli", "mse", "l1", "laplacian"] = "mse",
        reduction: Literal["sum", "mean"] = "sum",
        levels: int = 3,
        exponent: Literal[-2, 2] = -2,
    ) -> None:
        if levels < 1:
            raise BadOption(
                f"loss 'reconstruction': option 'levels' must be at least 1, not {levels}; "
                "write levels=1 or more"
            )
        self.distance = distance
        self.reduction = reduction
        self.levels = levels
        self.exponent = exponent

    def forward(self, images: Tensor, reconstruction: Tensor) -> dict[str, Tensor]:
        """Return the mean over images; raise `Incompatible` for a pyramid of codes.

        Args:
            images: x, (N, C, H, W) in [0, 1].
            reconstruction: y, of the same shape and range.
        """
        x, y = images, reconstruction
        if self.distance == "bernoulli":
            # A change of range may round past 0 or 1.
            summed = functional.binary_cross_entropy(y.clamp(0, 1), x.clamp(0, 1), reduction="sum")
        elif self.distance == "mse":
            summed = (x - y).square().sum()
        elif self.distance == "l1":
            summed = (x - y).abs().sum()
        else:
            summed = self._laplacian(x - y)
        count = len(x) if self.reduction == "sum" else x.numel()
        return {"reconstruction": summed / count}

    def _laplacian(self, gap: Tensor) -> Tensor:
        if min(gap.shape[-2:]) < 2:
            raise Incompatible(
                "loss 'reconstruction': a pyramid needs images of 2 px or more, and these are codes or "
                "single rows; type --loss reconstruction,distance=mse"
            )
        # The pyramid is linear: that of the difference is the difference of the two.
        parts = pyramid(gap, self.levels)
        terms = [2.0 ** (self.exponent * j) * part.abs().sum() for j, part in enumerate(parts)]
        return torch.stack(terms).sum()


def pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Return the Laplacian pyramid of images (N, C, H, W), finest level first.

    With g_0 = x and g_{j+1} = every second value of g_j blurred, L^j = g_j - doubled(g_{j+1}), and the
    last level is g itself: adding up from the last, doubling on the way, gives x again. Borders are
    mirrored, so that a constant image has zeros in all levels but the last.

    Args:
        images: (N, C, H, W).
        levels: Their number at most; halving stops at one pixel.
    """
    parts: list[Tensor] = []
    current = images
    while len(parts) < levels - 1 and min(current.shape[-2:]) > 1:
        rows, columns = (_blur(size, current)[::2] for size in current.shape[-2:])
        smaller = rows @ current @ columns.T
        parts.append(current - doubled(smaller, current.shape[-2], current.shape[-1]))
        current = smaller
    return [*parts, current]


def doubled(images: Tensor, height: int, width: int) -> Tensor:
    """Return images (N, C, height / 2, width / 2), rounded up, at twice the size.

    Zeros are put between the values, and the blur fills them.
    """
    rows, columns = (2 * _blur(size, images)[:, ::2] for size in (height, width))
    return rows @ images @ columns.T


def _blur(size: int, like: Tensor) -> Tensor:
    """Return the blur of `size` values as a matrix: image sides are short, and products are fast."""
    period = 2 * (size - 1)
    offsets = torch.arange(-2, 3, device=like.device)
    near = (torch.arange(size, device=like.device)[:, None] + offsets) % period
    near = torch.minimum(near, period - near)
    blur = like.new_zeros(size, size)
    for tap, columns in zip(TAPS, near.split(1, dim=1), strict=True):
        blur.scatter_add_(1, columns, blur.new_full((size, 1), tap))
    return blur
