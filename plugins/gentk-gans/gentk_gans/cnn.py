"""SN-GAN's standard CNN, a generator of transposed convolutions and a critic of seven convolutions."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from gentk.errors import BadOption
from gentk.interfaces import Critic, Features, Generator, ImageShape, Scores
from gentk.limits import at_least, square_of
from gentk.prior import Prior
from gentk.spectral import normalised

__all__ = ["CNNCritic", "CNNGenerator"]

SIDES = (32, 48, 64)

PLANS = {"paper": (1, 1, 2, 2, 4, 4, 8), "code": (1, 2, 2, 4, 4, 8, 8)}
"""The channels of the critic's convolutions, in units of its width."""


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

    Kernels 3, 4, 3, 4, 3, 4, 3 (those of 4 halve the side) with width * (1, 1, 2, 2, 4, 4, 8) channels,
    as SN-GAN's paper has them; its code and that of repulsive MMD GANs have (1, 2, 2, 4, 4, 8, 8). All
    weights start as N(0, 0.02^2). Of several outputs the score is the mean, and all are the feature
    `code`, besides `pooled`.

    Args:
        image: Shape of the images: squares of 32, 48 or 64 px.
        latent: Dimension of z, which it does not look at.
        width: The unit of channels; SN-GAN has 64.
        spectral: Whether all weights are divided by their largest singular value.
        gain: What each of the eight normalised weights is then multiplied by.
        plan: Channels as of the `paper` or of the `code`.
        outputs: How many outputs there are.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If an option is below 1, or `gain` not above 0.

    Source: as `CNNGenerator`; several outputs and the gain: W. Wang, Y. Sun, S. Halgamuge, "Improving
    MMD-GAN Training with Repulsive Loss Function", ICLR 2019, arXiv:1812.09916.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        width: int = 64,
        spectral: bool = True,
        gain: float = 1.0,
        plan: Literal["paper", "code"] = "paper",
        outputs: int = 1,
    ) -> None:
        super().__init__()
        owner = "critic 'sngan-cnn'"
        side = square_of(owner, image, SIDES, "--critic biggan")
        at_least(1, owner, {"width": width, "outputs": outputs})
        if not gain > 0:
            raise BadOption(f"{owner}: gain={gain} is not above 0; write gain=1")
        self.image = image
        layers: list[nn.Module] = []
        before = image.channels
        for kernel, times in zip((3, 4, 3, 4, 3, 4, 3), PLANS[plan], strict=True):
            layer = nn.Conv2d(before, times * width, kernel, stride=kernel - 2, padding=1)
            _initialise(layer)
            layers += [normalised(layer, spectral, gain=gain), nn.LeakyReLU(0.1)]
            before = times * width
        self.layers = nn.Sequential(*layers)
        last = nn.Linear(before * (side // 8) ** 2, outputs)
        _initialise(last)
        self.last = normalised(last, spectral, gain=gain)
        self.outputs = outputs

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the score `x`, and `code` and the last map's means over positions, `pooled`."""
        maps: Tensor = self.layers(images)
        pooled = functional.adaptive_avg_pool2d(maps, 1).flatten(1)
        code: Tensor = self.last(maps.flatten(1))
        if self.outputs == 1:
            return {"x": code.squeeze(1)}, {"pooled": pooled}
        return {"x": code.mean(1)}, {"pooled": pooled, "code": code}


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
