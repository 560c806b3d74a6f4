"""The extractor that extracts nothing: pixels are features."""

from __future__ import annotations

from torch import Tensor

from ..interfaces import Extractor, Features, Range

__all__ = ["Pixels"]


class Pixels(Extractor):
    """phi(x) = x, as one layer `pixels`.

    Most metrics average features over positions, so that of pixels they see the mean colour only,
    unless these are `flat`.

    Args:
        range: The range of values compared: `unit` [0, 1] or `signed` [-1, 1].
        flat: Whether each pixel is a feature of its own, without a position: (N, C*H*W).
    """

    def __init__(self, *, range: Range = "unit", flat: bool = False) -> None:
        super().__init__()
        self.range = range
        self.flat = flat
        self.channels = None
        self.freeze()

    def forward(self, images: Tensor) -> Features:
        """Return `{"pixels": images}`, (N, C, H, W), or (N, C*H*W) if `flat`."""
        return {"pixels": images.flatten(1) if self.flat else images}

    def fingerprint(self) -> str:
        """Return the range, and whether pixels have positions."""
        return f"pixels-1 range={self.range}{' flat' if self.flat else ''}"
