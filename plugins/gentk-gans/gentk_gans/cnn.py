"""SN-GAN's standard CNN, a generator of transposed convolutions and a critic of seven convolutions."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from gentk.interfaces import Critic, Features, Generator, ImageShape, Scores
from gentk.limits import at_least, square_of
from gentk.prior import Prior
from gentk.spectral import normalised

__all__ = ["CNNCritic", "CNNGenerator"]

SIDES = (32, 48, 64)


class CNNGenerator(Generator):
    """z -> linear -> a map of side / 8 -> three doublings of half the channels -> 3x3, tanh.

    Transposed convolutions (kernel 4, stride 2), batch norm and ReLU after each; 8 * width, 4 * width,
    2 * width and width channels. All weights start as N(0, 0.02^2).

    Args:
        image: Shape of the images: squares of 32, 48 or 64 px.
        latent: Dimension of z.
        width: Channels of the last map; SN-GAN has 64.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If an option is below 1.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018,
    arXiv:1802.05957, table 3.
    """

    def __init__(self, *, image: ImageShape, latent: int = 128, width: int = 64) -> None:
        super().__init__()
        owner = "generator 'sngan-cnn'"
        self.side = square_of(owner, image, SIDES, "--generator resnet") // 8
        at_least(1, owner, {"latent": latent, "width": width})
        self.image = image
        self.prior = Prior("normal", latent)
        self.range = "signed"
        self.first = nn.Linear(latent, 8 * width * self.side**2)
        layers: list[nn.Module] = []
        for after in (4 * width, 2 * width, width):
            up = nn.ConvTranspose2d(2 * after, after, 4, stride=2, padding=1)
            layers += [up, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        self.blocks = nn.Sequential(*layers)
        self.last = nn.Conv2d(width, image.channels, 3, padding=1)
        self.apply(_initialise)

    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, side, side) for `latents` (N, latent)."""
        maps = self.first(latents).unflatten(1, (-1, self.side, self.side))
        images: Tensor = self.last(self.blocks(maps))
        return images.tanh()


class CNNCritic(Critic):
    """s_x = w^T F(x) + b, F seven convolutions with LeakyReLU(0.1), the last map flattened.

    Kernels 3, 4, 3, 4, 3, 4, 3 (those of 4 halve the side) with width * (1, 1, 2, 2, 4, 4, 8) channels.
    All weights start as N(0, 0.02^2).

    Args:
        image: Shape of the images: squares of 32, 48 or 64 px.
        latent: Dimension of z, which it does not look at.
        width: The unit of channels; SN-GAN has 64.
        spectral: Whether all weights are divided by their largest singular value.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If an option is below 1.

    Source: as `CNNGenerator`.
    """

    def __init__(
        self, *, image: ImageShape, latent: int, width: int = 64, spectral: bool = True
    ) -> None:
        super().__init__()
        owner = "critic 'sngan-cnn'"
        side = square_of(owner, image, SIDES, "--critic biggan")
        at_least(1, owner, {"width": width})
        self.image = image
        layers: list[nn.Module] = []
        before = image.channels
        for kernel, times in ((3, 1), (4, 1), (3, 2), (4, 2), (3, 4), (4, 4), (3, 8)):
            layer = nn.Conv2d(before, times * width, kernel, stride=kernel - 2, padding=1)
            _initialise(layer)
            layers += [normalised(layer, spectral), nn.LeakyReLU(0.1)]
            before = times * width
        self.layers = nn.Sequential(*layers)
        last = nn.Linear(before * (side // 8) ** 2, 1)
        _initialise(last)
        self.last = normalised(last, spectral)

    def forward(self, images: Tensor, latents: Tensor | None = None) -> Scores:
        """Return the score `x` of `images` (N, C, side, side)."""
        return self.judge(images)[0]

    def features(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> Features:
        """Return the last map averaged over positions, (N, 8 width), as `pooled`."""
        return self.judge(images)[1]

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the score and the features of one pass."""
        maps: Tensor = self.layers(images)
        pooled = functional.adaptive_avg_pool2d(maps, 1).flatten(1)
        return {"x": self.last(maps.flatten(1)).squeeze(1)}, {"pooled": pooled}


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
