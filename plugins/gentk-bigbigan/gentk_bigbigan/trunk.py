"""The trunk of BigGAN's discriminator: images to features. It is F of BigBiGAN."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from gentk.spectral import normalised

from .attention import SelfAttention
from .plans import CRITIC, DOWN

__all__ = ["DownBlock", "Trunk"]


class DownBlock(nn.Module):
    """A residual block without norms.

    y = pool(conv2(relu(conv1(relu(x))))) + pool(bypass(x)); the first block of a trunk has no relu
    before conv1 and pools before its bypass. The bypass sees x itself, not relu(x).

    Args:
        before: Channels of x.
        after: Channels of y.
        down: Whether pool(.) averages over squares of 2x2; otherwise it is nothing.
        first: Whether it is the first block.
        spectral: Whether the convolutions are spectrally normalised.
        eps: Of spectral normalisation.
    """

    def __init__(
        self, before: int, after: int, *, down: bool, first: bool, spectral: bool, eps: float
    ) -> None:
        super().__init__()
        self.down = down
        self.first = first
        self.conv1 = normalised(nn.Conv2d(before, after, 3, padding=1), spectral, eps)
        self.conv2 = normalised(nn.Conv2d(after, after, 3, padding=1), spectral, eps)
        adapts = down or before != after
        self.bypass = normalised(nn.Conv2d(before, after, 1), spectral, eps) if adapts else None

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (N, after, H, W), of half the side if it goes down."""
        main = self.conv1(maps if self.first else functional.relu(maps))
        main = self._pool(self.conv2(functional.relu(main)))
        # A 1x1 convolution commutes with averaging: after it, it costs a quarter.
        beside = self._pool(maps)
        joined: Tensor = main + (beside if self.bypass is None else self.bypass(beside))
        return joined

    def _pool(self, maps: Tensor) -> Tensor:
        return functional.avg_pool2d(maps, 2) if self.down else maps


class Trunk(nn.Module):
    """BigGAN's discriminator up to its last linear map: F(x) = the sum of relu(map) over positions.

    Args:
        side: Side of the images, one of the plans'.
        channels: Channels of the images.
        width: The unit of the plan.
        attention: Side of the map that attention follows; 0 for none.
        spectral: Whether all maps are spectrally normalised.
        eps: Of spectral normalisation.

    Attributes:
        size: The number of features.

    Source: Brock, Donahue and Simonyan, 2019, arXiv:1809.11096, and its author's code.
    """

    def __init__(
        self,
        *,
        side: int,
        channels: int,
        width: int,
        attention: int = 64,
        spectral: bool = True,
        eps: float = 1e-12,
    ) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before, downs = channels, DOWN[side]
        for number, factor in enumerate(CRITIC[side]):
            after, down = factor * width, number < downs
            first = number == 0
            block = DownBlock(before, after, down=down, first=first, spectral=spectral, eps=eps)
            blocks.append(block)
            side = side // 2 if down else side
            if down and side == attention:
                blocks.append(SelfAttention(after, spectral=spectral, eps=eps))
            before = after
        self.blocks = nn.Sequential(*blocks)
        self.size = before

    def forward(self, images: Tensor) -> Tensor:
        """Return features (N, size) of `images` (N, C, H, W)."""
        maps: Tensor = self.blocks(images)
        return functional.relu(maps).sum((2, 3))
