"""The critics of MMD GANs, whose codes are compared: an auto-encoder, and four strided convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from gentk.interfaces import Critic, Features, ImageShape, Range, Scores
from gentk.limits import at_least, square_of

__all__ = ["AutoencodingCritic", "StridedCritic"]

AUTOENCODED = (32, 64)
STRIDED = (16, 32, 48, 64)


class AutoencodingCritic(Critic):
    """x -> code f(x) -> r(f(x)), convolutions of stride 2 and their mirror image.

    Encoder: kernel 4 and stride 2 down to a side of 4, with width, 2 width, ... channels, and kernel 4
    without padding to the code; batch norm after all but the first and the last, LeakyReLU(0.2).
    Decoder: the same backwards with ReLU, batch norm and a last tanh. Convolutions have no bias and
    start as N(0, 0.02^2), gains of batch norm as N(1, 0.02^2).

    The score is minus the mean squared error of the reconstruction. Features are `code` (N, code) and
    `reconstruction` (N, C, H, W), for the penalty `autoencoder`; a matching loss takes
    `--extractor critic,layers=code`. A clamp of the critic's weights covers the encoder alone.

    Args:
        image: Shape of the images: squares of 32 or 64 px.
        latent: Dimension of z, which it does not look at.
        width: Channels of the first layer; MMD GAN has 64.
        code: Dimension of the code; MMD GAN has 128 on CIFAR-10, as many as z.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If an option is below 1.

    Source: C.-L. Li, W.-C. Chang, Y. Cheng, Y. Yang, B. Poczos, "MMD GAN: Towards Deeper Understanding
    of Moment Matching Network", NIPS 2017, arXiv:1705.08584, and its released code.
    """

    def __init__(self, *, image: ImageShape, latent: int, width: int = 64, code: int = 128) -> None:
        super().__init__()
        owner = "critic 'mmdgan-autoencoder'"
        side = square_of(owner, image, AUTOENCODED, "--critic sngan-cnn")
        at_least(1, owner, {"width": width, "code": code})
        self.image = image
        widths = [width * 2**k for k in range((side // 4).bit_length() - 1)]
        down: list[nn.Module] = [_halving(image.channels, width), nn.LeakyReLU(0.2)]
        up: list[nn.Module] = [nn.ConvTranspose2d(code, widths[-1], 4, bias=False)]
        for before, after in pairwise(widths):
            down += [_halving(before, after), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
        for before, after in pairwise([*reversed(widths), image.channels]):
            up += [nn.BatchNorm2d(before), nn.ReLU(), _doubling(before, after)]
        self.encoder = nn.Sequential(*down, nn.Conv2d(widths[-1], code, 4, bias=False))
        self.decoder = nn.Sequential(*up, nn.Tanh())
        self.apply(_initialise)

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the score `x`, and `code` and `reconstruction`."""
        code: Tensor = self.encoder(images)
        again: Tensor = self.decoder(code)
        error = (again - images).square().flatten(1).mean(1)
        return {"x": -error}, {"code": code.flatten(1), "reconstruction": again}

    def clamped(self) -> Iterator[nn.Parameter]:
        """Return the weights of the encoder."""
        return self.encoder.parameters()


class StridedCritic(Critic):
    """x -> four 5x5 convolutions of stride 2, LeakyReLU(0.2) after each -> linear -> code f(x).

    They have width, 2 width, 4 width and 8 width channels; no norm, so that the gradient in an image is
    that of its own code. All weights start as N(0, 0.02^2). Features are `conv1` to `conv4`, for the
    penalty `activations`, and `code`; the score is the mean of the code, the score itself with
    `outputs=1`.

    Args:
        image: Shape of the images: squares of 16, 32, 48 or 64 px.
        latent: Dimension of z, which it does not look at.
        width: Channels of the first layer; 16 and 64 are published.
        outputs: Dimension of the code; 16 is published, 256 for the kernel `energy`.
        range: The range of values it is given, `unit` or `signed`.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If an option is below 1.

    Source: M. Binkowski, D. J. Sutherland, M. Arbel, A. Gretton, "Demystifying MMD GANs", ICLR 2018,
    arXiv:1801.01401, section 4; Radford, Metz and Chintala, 2015, arXiv:1511.06434.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        width: int = 64,
        outputs: int = 16,
        range: Range = "unit",
    ) -> None:
        super().__init__()
        owner = "critic 'mmdgan-dcgan'"
        side = square_of(owner, image, STRIDED, "--critic sngan-cnn")
        at_least(1, owner, {"width": width, "outputs": outputs})
        self.image = image
        self.range = range
        widths = [image.channels, *(width * 2**k for k in (0, 1, 2, 3))]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 5, stride=2, padding=2) for before, after in pairwise(widths)
        )
        self.last = nn.Linear(widths[-1] * (side // 16) ** 2, outputs)
        self.apply(_initialise)

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the score `x`, and `conv1` to `conv4` and `code`."""
        features: Features = {}
        maps = images
        for number, layer in enumerate(self.layers, start=1):
            maps = functional.leaky_relu(layer(maps), 0.2)
            features[f"conv{number}"] = maps
        features["code"] = self.last(maps.flatten(1))
        return {"x": features["code"].mean(1)}, features


def _halving(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)


def _doubling(before: int, after: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, mean=1.0, std=0.02)
