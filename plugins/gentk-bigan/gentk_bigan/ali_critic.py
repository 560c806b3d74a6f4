"""The critic of ALI."""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor, nn

from gentk.errors import BadOption
from gentk.interfaces import Critic, Features, ImageShape, Scores
from gentk.layers import Maxout
from gentk.limits import square_of

from .start import small

__all__ = ["ALICritic"]

CONVOLUTIONS: Final = ((5, 1, 32), (4, 2, 64), (4, 1, 128), (4, 2, 256), (4, 1, 512))
"""Kernel, stride, channels; no padding: 32, 28, 13, 10, 4, 1 px."""


class ALICritic(Critic):
    """s_xz = J(F(x), H(z)): maxout convolutions of x, maxout layers of z, maxout layers of both.

    Dropout stands before every layer, no batch norm anywhere. Weights start as N(0, 0.01^2), biases 0.

    Args:
        image: Shape of the images: squares of 32 px.
        latent: Dimension of z.
        maxout: `halves`: maxout leaves half of the listed channels, as in the released code (F and H
            have 256 features each); `keeps`: the listed channels are what is left, as in the table
            of the paper (512 each, 1024 together).
        dropout: Share dropped before the layers of H and J, and of F as `dropped` says.
        inputs: Share dropped of x and of z themselves.
        dropped: `all`: before every convolution, as in the table; `some`: the released code's slicing,
            which meets the second convolution, the third maxout and the fifth convolution only.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If a share is not in [0, 1).

    Source: Dumoulin et al., Adversarially Learned Inference, 2017, arXiv:1606.00704, and its released
    code.
    """

    range = "unit"
    pairs = True

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        maxout: Literal["halves", "keeps"] = "halves",
        dropout: float = 0.5,
        inputs: float = 0.2,
        dropped: Literal["all", "some"] = "all",
    ) -> None:
        super().__init__()
        square_of("critic 'ali'", image, (32,), "--critic bigan")
        for name, value in (("dropout", dropout), ("inputs", inputs)):
            if not 0 <= value < 1:
                raise BadOption(
                    f"critic 'ali': {name}={value} is no share in [0, 1); write {name}=0.2"
                )
        self.image = image
        factor = 1 if maxout == "halves" else 2
        layers: list[nn.Module] = [nn.Dropout(inputs)]
        before = image.channels
        for number, (kernel, stride, channels) in enumerate(CONVOLUTIONS, 1):
            if number > 1 and (dropped == "all" or number in (2, 5)):
                layers.append(nn.Dropout(dropout))
            layers.append(nn.Conv2d(before, channels * factor, kernel, stride=stride))
            if dropped == "some" and number == 3:
                layers.append(nn.Dropout(dropout))
            layers.append(Maxout())
            before = channels * factor // 2
        self.f = nn.Sequential(*layers, nn.Flatten())
        wide = 512 * factor
        self.h = nn.Sequential(
            nn.Dropout(inputs),
            nn.Linear(latent, wide),
            Maxout(),
            nn.Dropout(dropout),
            nn.Linear(wide // 2, wide),
            Maxout(),
        )
        self.j = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(before + wide // 2, 2 * wide),
            Maxout(),
            nn.Dropout(dropout),
            nn.Linear(wide, 2 * wide),
            Maxout(),
            nn.Dropout(dropout),
            nn.Linear(wide, 1),
        )
        self.apply(small)

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the score `xz` of images in [0, 1] and latents, and its last hidden layer as `xz`."""
        assert latents is not None
        both = torch.cat([self.f(images), self.h(latents)], dim=1)
        hidden = self.j[:-2](both)
        return {"xz": self.j[-2:](hidden)[:, 0]}, {"xz": hidden}
