"""The generator of DCGAN, with the extra convolutions that GFMN gave it."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from gentk.interfaces import Generator, ImageShape
from gentk.limits import at_least
from gentk.prior import Prior

from .conditional import ClassNorm, norm_of
from .sizes import DCGAN_SIDES, makes_dcgan, wrong_size

__all__ = ["DCGANGenerator", "initialise", "normed"]


class DCGANGenerator(Generator):
    """Transposed convolutions with batch norm, from a 4x4 map (6x6 for 48 px) up to the image.

    z becomes the first map; every further layer doubles the side (kernel 4, stride 2, padding 1)
    and, from `8 * width` channels at most, halves the channels down to `width`; before the last of
    them stand the `extra` 3x3 convolutions. Batch norm and ReLU follow every layer but the last,
    which ends in tanh. No layer has a bias; convolutions start as N(0, 0.02^2), the gains of batch
    norm as N(1, 0.02^2). With classes, each has batch norm gains and biases of its own.

    Args:
        image: Shape of the images: squares of 32, 48, 64 or 128 px.
        latent: Dimension of z.
        prior: Law of z, N(0, 1) or U(-1, 1) per coordinate.
        width: Channels before the last layer.
        extra: Number of 3x3 convolutions, at half the image's side.
        classes: Number of classes, which stand behind z in a latent; 0 for an unconditional generator.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If `latent` or `width` is below 1, or `extra` below 0.

    Source: Radford, Metz and Chintala, 2015, arXiv 1511.06434; the extra layers: dos Santos et al.,
    Learning Implicit Generative Models by Matching Perceptual Features, 2019, arXiv 1904.02762.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int = 100,
        prior: Literal["normal", "uniform"] = "normal",
        width: int = 64,
        extra: int = 2,
        classes: int = 0,
    ) -> None:
        super().__init__()
        if not makes_dcgan(image):
            side = max(image.height, image.width)
            nearest = min(DCGAN_SIDES, key=lambda known: abs(known - side))
            makes = "square images of 32, 48, 64 or 128 px"
            raise wrong_size("dcgan", makes, image, nearest)
        at_least(1, "generator 'dcgan'", {"latent": latent, "width": width})
        at_least(0, "generator 'dcgan'", {"extra": extra, "classes": classes})
        self.image = image
        self.prior = Prior(prior, latent, classes=classes)
        self.range = "signed"
        start = 6 if image.width == 48 else 4
        doublings = (image.width // start).bit_length() - 1
        widths = [width * min(8, 2**k) for k in reversed(range(doublings))]
        layers = normed(nn.ConvTranspose2d(latent, widths[0], start, bias=False))
        for before, after in pairwise(widths):
            layers += normed(_double(before, after))
        for _ in range(extra):
            layers += normed(nn.Conv2d(width, width, 3, padding=1, bias=False))
        self.net = nn.Sequential(*layers, _double(width, image.channels), nn.Tanh())
        if classes:
            for number, layer in enumerate(self.net):
                if isinstance(layer, nn.BatchNorm2d):
                    self.net[number] = ClassNorm(layer.num_features, classes)
        self.apply(initialise)

    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, H, W) for `latents` (N, latent + classes)."""
        z, labels = self.prior.split(latents)
        maps = z[:, :, None, None]
        for layer in self.net:
            maps = norm_of(layer, maps, labels)
        return maps


def _double(before: int, after: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)


def normed(layer: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    """Return a layer with batch norm and ReLU after it."""
    # In place: the backward pass of batch norm does not need its output.
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU(inplace=True)]


def initialise(module: nn.Module) -> None:
    """Draw a module's weights as DCGAN does: N(0, 0.02^2), gains of batch norm N(1, 0.02^2)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=0.02)
    elif isinstance(module, nn.BatchNorm2d) and module.affine:
        nn.init.normal_(module.weight, mean=1.0, std=0.02)
    elif isinstance(module, ClassNorm):
        nn.init.normal_(module.gain, mean=1.0, std=0.02)
