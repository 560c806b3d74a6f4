"""Plans: BigGAN's channels by the side of the image, in units of the width.

Source: the released code of Brock, Donahue and Simonyan, 2019, arXiv:1809.11096. At 32 px StudioGAN's
discriminator has half of these channels.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CRITIC", "DOWN", "GENERATOR", "SIDES"]

GENERATOR: Final = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
}
"""Side -> channels of the 4x4 map and of each block, which doubles the side."""

CRITIC: Final = {
    32: (4, 4, 4, 4),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
}
"""Side -> channels of each block."""

DOWN: Final = {32: 2, 64: 4, 128: 5, 256: 6}
"""Side -> how many of the first blocks halve it."""

SIDES: Final = tuple(GENERATOR)
"""The sides there are plans for, in pixels."""
