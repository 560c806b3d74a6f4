"""The extractor that extracts nothing: pixels are features."""

from __future__ import annotations

from torch import Tensor

from ..interfaces import Extractor, Features, Range

__all__ = ["Pixels"]


class Pixels(Extractor):
    """phi(x) = x, as one layer `pixels`.

    Most metrics average features over positions, so that of pixels they see the mean colour only.

    Args:
        range: The range of values compared: `unit` [0, 1] or `signed` [-1, 1].
    """

    def __init__(self, *, range: Range = "unit") -> None:
        super().__init__()
        self.range = range
        self.channels = None
        self.freeze()

    def forward(self, images: Tensor) -> Features:
        """Return `{"pixels": images}`, (N, C, H, W)."""
        return {"pixels": images}

    def fingerprint(self) -> str:
        """Return the range."""
        return f"pixels-1 range={self.range}"
