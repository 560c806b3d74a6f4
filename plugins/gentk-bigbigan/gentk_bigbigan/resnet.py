"""Residual networks that encode images as latents, or as distributions over them."""

from __future__ import annotations

from typing import Final, Literal

from torch import Tensor, nn
from torch.nn import functional

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import Encoder, Features, ImageShape
from gentk.limits import at_least

from .code import CodeHead
from .units import Unit

__all__ = ["Depth", "ResNetEncoder"]

Depth = Literal[10, 18, 34, 50, 101, 152]
"""Layers with weights, of the trunk with the classifier that was on top of it."""

STAGES: Final[dict[int, tuple[int, ...]]] = {
    10: (1, 1, 1, 1),
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Depth -> units of each stage; up to 34 units have two convolutions, above three."""

BASE: Final = 64
"""Channels of the first convolution of a network of width 1."""

UNIT: Final = 16
"""All channels are multiples of it."""

LARGE: Final = 96
"""Images of this side or more are halved twice before the first stage."""


class ResNetEncoder(Encoder):
    """ResNet-v2, average pooling, a residual perceptron, and a distribution over latents.

        z = mean(x) + softplus(raw(x)) e,    e ~ N(0, 1)

    A draw in training, the mean in eval mode. Four stages, each but the first halving the side; images
    of 96 px and more go through a 7x7 convolution of stride 2 and max-pooling first, smaller ones
    through a 3x3 convolution. Batch norm and ReLU stand before every convolution.

    With `size` above the data's, the run reads its data at that size for the encoder; generator and
    critic work with the data's own, the critic on averages over squares of the encoder's pixels.

    Args:
        image: Shape of the images: squares of a multiple of 16 px.
        latent: Dimension of z.
        depth: 10, 18 or 34 with units of two convolutions, 50, 101 or 152 of three.
        width: Factor of all channels, which are rounded to multiples of 16; the widest BigBiGAN has 4.
        size: Side of the images it reads, a multiple of the data's; the data's own by default.
        hidden: Units of the perceptron after pooling; BigBiGAN's 4096 is not confirmed.
        blocks: Its residual blocks, two layers each; 0 for none.
        stochastic: Whether z is drawn; otherwise it is the mean.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If an option is out of range.

    Source: He et al., Identity Mappings in Deep Residual Networks, 2016, arXiv:1603.05027; as an
    encoder: Donahue and Simonyan, 2019, arXiv:1907.02544, where softplus is not confirmed.
    """

    name = "resnet"

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        depth: Depth = 50,
        width: float = 1.0,
        size: int | None = None,
        hidden: int = 1024,
        blocks: int = 2,
        stochastic: bool = True,
    ) -> None:
        super().__init__()
        owner = f"encoder {self.name!r}"
        side = size or image.width
        if image.height != image.width or side % 16 or not side:
            nearest = 16 * max(1, round(max(image.height, image.width) / 16))
            raise Incompatible(
                f"{owner} reads square images of 16, 32, 48, ... px, not "
                f"{image.height}x{image.width}"
                + (f" at size={size}" if size else "")
                + f"; add size={nearest} to the data, or type --encoder mlp"
            )
        if not width > 0:
            raise BadOption(f"{owner}: width={width} leaves no channels; write width=0.25")
        # oneDNN's 1x1 convolutions of stride 2 in channels_last with fewer than 16 channels can crash
        # on the way back (torch 2.14: 8 to 16 channels at 64 px).
        base = UNIT * max(round(BASE * width / UNIT), 1)
        at_least(1, owner, {"hidden": hidden})
        at_least(0, owner, {"blocks": blocks})
        self.image = ImageShape(image.channels, side, side)
        self.latent = latent
        self.range = "signed"
        self.code_range = None
        large = side >= LARGE
        kernel = 7 if large else 3
        stem = nn.Conv2d(
            image.channels, base, kernel, stride=2 if large else 1, padding=kernel // 2, bias=False
        )
        nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
        self.stem = nn.Sequential(stem, *([nn.MaxPool2d(3, 2, 1)] if large else []))
        wide = depth <= 34
        before = base
        stages = []
        for number, units in enumerate(STAGES[depth]):
            after = base * 2**number * (1 if wide else 4)
            stages.append(self.stage(before, after, units, stride=2 if number else 1, wide=wide))
            before = after
        self.stages = nn.ModuleList(stages)
        self.norm = nn.BatchNorm2d(before)
        self.head = CodeHead(before, latent, width=hidden, blocks=blocks, stochastic=stochastic)

    def stage(self, before: int, after: int, units: int, *, stride: int, wide: bool) -> nn.Module:
        """Return a stage: units of which the first changes side and channels."""
        rest = [Unit(after, after, wide=wide) for _ in range(units - 1)]
        return nn.Sequential(Unit(before, after, stride=stride, wide=wide), *rest)

    def forward(self, images: Tensor) -> Tensor:
        """Return latents (N, latent) for `images` (N, C, H, W) in [-1, 1]."""
        return self.features(images)["code"]

    def features(self, images: Tensor) -> Features:
        """Return `stage1` to `stage4`, (N, C, H, W), their pooled end `avepool`, (N, C), and `code`."""
        features: Features = {}
        maps: Tensor = self.stem(images)
        for number, stage in enumerate(self.stages, 1):
            maps = stage(maps)
            features[f"stage{number}"] = maps
        features["avepool"] = functional.relu(self.norm(maps)).mean((2, 3))
        return features | {"code": self.head(features["avepool"])}

    def distribution(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return mean and scale of z, (N, latent) each; no scale of a deterministic encoder."""
        return self.head.distribution(self.features(images)["avepool"])
