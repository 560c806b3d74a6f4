"""The residual pair of SN-GAN and WGAN-GP for 32 px."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from gentk.interfaces import Critic, Features, Generator, ImageShape, Scores
from gentk.limits import at_least, square_of
from gentk.prior import Prior
from gentk.spectral import normalised

from .blocks import DownBlock, FirstBlock, UpBlock

__all__ = ["ResNetCritic", "ResNetGenerator"]

SIDES = (32,)


class ResNetGenerator(Generator):
    """z -> linear -> 4x4 map -> three residual blocks of one width -> batch norm, ReLU, 3x3, tanh.

    SN-GAN has a width of 256 (4,276,739 parameters at z of 128 and 3 channels), WGAN-GP one of 128
    (1,204,483).

    Args:
        image: Shape of the images: squares of 32 px.
        latent: Dimension of z.
        width: Channels of all maps.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If an option is below 1.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018,
    arXiv:1802.05957, table 4; Gulrajani et al., Improved Training of Wasserstein GANs, 2017,
    arXiv:1704.00028, appendix F.
    """

    def __init__(self, *, image: ImageShape, latent: int = 128, width: int = 256) -> None:
        super().__init__()
        owner = "generator 'sngan-resnet'"
        square_of(owner, image, SIDES, "--generator resnet")
        at_least(1, owner, {"latent": latent, "width": width})
        self.image = image
        self.prior = Prior("normal", latent)
        self.range = "signed"
        self.first = nn.Linear(latent, 16 * width)
        self.blocks = nn.Sequential(*(UpBlock(width) for _ in range(3)))
        self.norm = nn.BatchNorm2d(width)
        self.last = nn.Conv2d(width, image.channels, 3, padding=1)
        for layer in (self.first, self.last):
            _start(layer)

    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, 32, 32) for `latents` (N, latent)."""
        maps = self.blocks(self.first(latents).unflatten(1, (-1, 4, 4)))
        images: Tensor = self.last(functional.relu(self.norm(maps)))
        return images.tanh()


class ResNetCritic(Critic):
    """s_x = w^T p(x) [+ b], p the sum (or mean) over positions of four residual blocks' last map.

    The first two blocks halve the side. SN-GAN: spectral norm, sum, no b (1,053,824 parameters at a
    width of 128 and 3 channels); WGAN-GP: `spectral=false,pool=mean,bias=true` (1,053,825).

    Args:
        image: Shape of the images: squares of 32 px.
        latent: Dimension of z, which it does not look at.
        width: Channels of all maps.
        spectral: Whether all weights are divided by their largest singular value.
        pool: `sum` over positions, or their `mean`.
        bias: Whether the last layer has one.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If an option is below 1.

    Source: as `ResNetGenerator`.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        width: int = 128,
        spectral: bool = True,
        pool: Literal["sum", "mean"] = "sum",
        bias: bool = False,
    ) -> None:
        super().__init__()
        owner = "critic 'sngan-resnet'"
        square_of(owner, image, SIDES, "--critic biggan")
        at_least(1, owner, {"width": width})
        self.image = image
        self.pool = pool
        self.blocks = nn.Sequential(
            FirstBlock(image.channels, width, spectral=spectral),
            DownBlock(width, halves=True, spectral=spectral),
            DownBlock(width, halves=False, spectral=spectral),
            DownBlock(width, halves=False, spectral=spectral),
        )
        last = nn.Linear(width, 1, bias=bias)
        _start(last)
        self.last = normalised(last, spectral)

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the score `x`, and p(x), (N, width), as `pooled`."""
        maps: Tensor = functional.relu(self.blocks(images))
        pooled = maps.sum((2, 3)) if self.pool == "sum" else maps.mean((2, 3))
        return {"x": self.last(pooled).squeeze(1)}, {"pooled": pooled}


def _start(layer: nn.Linear | nn.Conv2d) -> None:
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
