"""The reconstruction loss of auto-encoders: how far G(E(x)) is from x.

    bernoulli   -sum_i x_i log y_i + (1 - x_i) log(1 - y_i)       cross-entropy, x and y in [0, 1]
    mse         sum_i (x_i - y_i)^2
    l1          sum_i |x_i - y_i|
    laplacian   sum_j 2^(-2j) |L^j(x) - L^j(y)|_1                 L^j: level j of a Laplacian pyramid

over the values of an image, and the mean over images. Level j = 0 is the finest; the last is what is
left after the others, a blurred image. GFMN's text weighs levels by 2^(-2j), other authors by 2^(2j):
the option `weight`.

Sources: Y. Li et al., "Generative Moment Matching Networks", 2015, arXiv:1502.02761 (bernoulli); C.
Nogueira dos Santos et al., "Learning Implicit Generative Models by Matching Perceptual Features",
2019, arXiv:1904.02762 (mse, laplacian); P. Bojanowski et al., "Optimizing the Latent Space of Generative
Networks", 2018, arXiv:1707.05776 (the pyramid).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import BadOption, Incompatible
from ..interfaces import ReconstructionLoss

__all__ = ["Reconstruction", "pyramid"]

TAPS = (1.0, 4.0, 6.0, 4.0, 1.0)
"""The binomial filter of Burt and Adelson's pyramid, times 16."""


class Reconstruction(ReconstructionLoss):
    """A distance of images and their reconstructions, see the module; the one term `reconstruction`.

    Args:
        distance: Which one. `bernoulli` reads grey values as probabilities.
        reduction: Add up the values of an image, or average over them.
        levels: Levels of the pyramid, the blurred rest included; fewer where the image is small.
        weight: The power of two of a level's weight per level: -2 or 2.
    """

    range = "unit"

    def __init__(
        self,
        *,
        distance: Literal["bernoulli", "mse", "l1", "laplacian"] = "mse",
        reduction: Literal["sum", "mean"] = "sum",
        levels: int = 3,
        weight: Literal[-2, 2] = -2,
    ) -> None:
        if levels < 1:
            raise BadOption(
                f"loss 'reconstruction': levels is 1 or more, not {levels}; write levels=3"
            )
        self.distance = distance
        self.reduction = reduction
        self.levels = levels
        self.weight = weight

    def forward(self, images: Tensor, reconstruction: Tensor) -> dict[str, Tensor]:
        """Return the mean over images; raise `Incompatible` for a pyramid of codes."""
        x, y = images, reconstruction
        if self.distance == "bernoulli":
            # A code of a sigmoid is never exactly in [0, 1] after a change of range.
            summed = functional.binary_cross_entropy(y.clamp(0, 1), x.clamp(0, 1), reduction="sum")
        elif self.distance == "mse":
            summed = (x - y).square().sum()
        elif self.distance == "l1":
            summed = (x - y).abs().sum()
        else:
            if min(x.shape[-2:]) < 2:
                raise Incompatible(
                    "loss 'reconstruction': a pyramid needs images, and these are codes; type "
                    "--loss reconstruction,distance=mse"
                )
            # The pyramid is linear: that of the difference is the difference of the two.
            parts = pyramid(x - y, self.levels)
            weights = [2.0 ** (self.weight * level) for level in range(len(parts))]
            terms = [w * part.abs().sum() for w, part in zip(weights, parts, strict=True)]
            summed = torch.stack(terms).sum()
        count = len(x) if self.reduction == "sum" else x.numel()
        return {"reconstruction": summed / count}


def pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Return the Laplacian pyramid of images (N, C, H, W), finest level first.

    With g_0 = x and g_{j+1} = g_j blurred and halved, L^j = g_j - doubled(g_{j+1}) and the last level is
    g itself: adding up from the last, doubling on the way, gives x again.
    """
    parts = []
    current = images
    for _ in range(levels - 1):
        if min(current.shape[-2:]) < 2:
            break
        smaller = _blur(current)[..., ::2, ::2]
        parts.append(current - _double(smaller, current.shape[-2:]))
        current = smaller
    return [*parts, current]


def _blur(images: Tensor) -> Tensor:
    """Filter with the binomial taps along both axes, borders repeated."""
    taps = images.new_tensor(TAPS) / 16
    channels = images.shape[1]
    padded = functional.pad(images, (2, 2, 2, 2), mode="replicate")
    rows = functional.conv2d(
        padded, taps.view(1, 1, 1, 5).expand(channels, 1, 1, 5), groups=channels
    )
    return functional.conv2d(rows, taps.view(1, 1, 5, 1).expand(channels, 1, 5, 1), groups=channels)


def _double(images: Tensor, size: torch.Size) -> Tensor:
    """Return images at the size of the level above."""
    height, width = size
    return functional.interpolate(images, (height, width), mode="bilinear", align_corners=False)
