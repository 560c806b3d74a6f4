"""The feature space of a run: all its extractors as one, fed with images of any range."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .errors import Incompatible
from .interfaces import Extractor, Features, Range

__all__ = ["FeatureSpace", "to_range"]


def to_range(images: Tensor, have: Range, want: Range) -> Tensor:
    """Convert image values from one range to the other: unit = (signed + 1) / 2."""
    if have == want:
        return images
    return (images + 1) / 2 if want == "unit" else images * 2 - 1


class FeatureSpace(nn.Module):
    """phi = the features of several extractors side by side.

    Layers are named `EXTRACTOR/LAYER`. Values are converted to the range each extractor wants, and
    greyscale images are repeated to its number of channels.

    Args:
        extractors: Name as typed (without options) -> extractor.
        channels: The number of channels of the images to come.
    """

    def __init__(self, extractors: Mapping[str, Extractor], channels: int) -> None:
        super().__init__()
        self.names = list(extractors)
        self.extractors = nn.ModuleList(extractors.values())
        for name, extractor in extractors.items():
            if extractor.channels not in (None, channels) and channels != 1:
                raise Incompatible(
                    f"extractor {name!r} takes {extractor.channels} channels, the images have "
                    f"{channels}; add channels={extractor.channels} to the data"
                )

    def repeated(self, channels: int) -> list[str]:
        """Return the extractors for which images of `channels` channels are repeated."""
        return [
            name
            for name, extractor in zip(self.names, self.extractors, strict=True)
            if extractor.channels not in (None, channels)
        ]

    def forward(self, images: Tensor, have: Range) -> Features:
        """Return all features of `images`, (N, C, H, W) with values in the range `have`."""
        features: Features = {}
        for name, extractor in zip(self.names, self.extractors, strict=True):
            assert isinstance(extractor, Extractor)
            x = to_range(images, have, extractor.range)
            if extractor.channels not in (None, x.shape[1]):
                x = x.expand(-1, extractor.channels, -1, -1)
            if extractor.channels != 1:
                x = x.contiguous(memory_format=torch.channels_last)
            features.update({f"{name}/{layer}": value for layer, value in extractor(x).items()})
        return features

    def fingerprint(self) -> str:
        """Return a digest of all extractors, in order."""
        digest = hashlib.blake2b(digest_size=16)
        for name, extractor in zip(self.names, self.extractors, strict=True):
            assert isinstance(extractor, Extractor)
            digest.update(f"{name}\n{extractor.fingerprint()}\n".encode())
        return digest.hexdigest()
