"""The feature space of a run: all its extractors as one, fed with images of any range."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from .codec import Codec
from .errors import Incompatible
from .interfaces import Extractor, Features, Range
from .ranges import to_range

__all__ = ["FeatureSpace", "autocast", "unlearned"]


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Return a context in which networks compute in `dtype`; float32 is no autocast at all."""
    if device.type == "meta":
        return nullcontext()
    half = dtype != torch.float32
    return torch.autocast(device.type, dtype=dtype if half else None, enabled=half)


def unlearned(name: str) -> str:
    """Return the sentence about an extractor of a critic's features where there is no critic."""
    return (
        f"extractor {name!r} is the features of a run's own critic, which there are only while that run "
        "trains; type another --extractor (gentk list extractor)"
    )


class FeatureSpace(nn.Module):
    """phi = the features of several extractors side by side.

    Layers are named `EXTRACTOR/LAYER`. Values are converted to the range each extractor wants, and
    greyscale images are repeated to its number of channels.

    Args:
        extractors: Name as typed (without options) -> extractor.
        channels: The number of channels of the images to come.
        dtype: What the networks compute in (autocast). Data and model go through the same function,
            so the same images have the same features on both sides.
        codec: If samples are codes: what makes images of them and them of images.

    Attributes:
        architecture: Of the run's critic, where features are those of it: what they are features of
            is told by it and not by weights, which move.
    """

    architecture: str | None = None

    def __init__(
        self,
        extractors: Mapping[str, Extractor],
        channels: int,
        dtype: torch.dtype = torch.float32,
        codec: Codec | None = None,
    ) -> None:
        super().__init__()
        self.dtype = dtype
        self.codec = codec
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

    @property
    def learned(self) -> list[str]:
        """The extractors of the features that the run's own critic makes."""
        return [
            name
            for name, extractor in zip(self.names, self.extractors, strict=True)
            if isinstance(extractor, Extractor) and extractor.sees == "critic"
        ]

    def forward(
        self,
        samples: Tensor,
        have: Range,
        critic: Features | None = None,
        names: Collection[str] | None = None,
    ) -> Features:
        """Return all features of what a generator made.

        Args:
            samples: Images, or codes if there is a codec: (N, C, H, W).
            have: The range of their values.
            critic: What the run's critic makes of them, for extractors that see that.
            names: The extractors that are wanted; None for all.
        """
        if samples.dtype in (torch.bfloat16, torch.float16):
            # A generator's output under autocast; its range is converted without further rounding.
            samples = samples.float()
        if self.codec is None:
            return self._features(samples, samples, have, critic, names)
        codes = to_range(samples, have, self.codec.range)
        images = self.codec.decode(codes) if self._images else codes
        return self._features(codes, images, "unit", critic, names)

    def of_images(self, images: Tensor) -> Features:
        """Return all features of real images, (N, C, H, W) in [0, 1]."""
        encoded = self.codec is not None and self._samples
        codes = self.codec.encode(images) if self.codec is not None and encoded else images
        return self._features(codes, images, "unit")

    def part(self, features: Features, name: str) -> Features:
        """Return the features of one extractor; no name begins another's layers."""
        longer = tuple(f"{n}/" for n in self.names if n.startswith(f"{name}/"))
        return {
            layer: value
            for layer, value in features.items()
            if layer.startswith(f"{name}/") and not layer.startswith(longer)
        }

    @property
    def _images(self) -> bool:
        """Whether any extractor sees images."""
        return any(isinstance(e, Extractor) and e.sees == "images" for e in self.extractors)

    @property
    def _samples(self) -> bool:
        """Whether any extractor sees samples."""
        return any(isinstance(e, Extractor) and e.sees == "samples" for e in self.extractors)

    def _features(
        self,
        samples: Tensor,
        images: Tensor,
        have: Range,
        critic: Features | None = None,
        names: Collection[str] | None = None,
    ) -> Features:
        """Give every extractor that is wanted what it sees."""
        features: Features = {}
        for name, extractor in zip(self.names, self.extractors, strict=True):
            assert isinstance(extractor, Extractor)
            if names is not None and name not in names:
                continue
            if extractor.sees == "critic":
                if critic is None:
                    raise Incompatible(unlearned(name))
                features.update({f"{name}/{k}": v for k, v in extractor(critic).items()})
                continue
            if extractor.sees == "samples" and self.codec is not None:
                # Codes are compared as they are.
                features.update({f"{name}/{k}": v for k, v in extractor(samples).items()})
                continue
            x = to_range(images, have, extractor.range)
            if extractor.channels not in (None, x.shape[1]):
                x = x.expand(-1, extractor.channels, -1, -1)
            if extractor.channels != 1:
                x = x.contiguous(memory_format=torch.channels_last)
            with autocast(x.device, self.dtype):
                layers = extractor(x)
            features.update({f"{name}/{layer}": value for layer, value in layers.items()})
        return features

    def fingerprint(self) -> str:
        """Return a digest of all extractors, in order."""
        digest = hashlib.blake2b(f"{self.dtype}\n".encode(), digest_size=16)
        for name, extractor in zip(self.names, self.extractors, strict=True):
            assert isinstance(extractor, Extractor)
            digest.update(f"{name}\n{extractor.fingerprint()}\n".encode())
        if self.codec is not None:
            digest.update(self.codec.fingerprint().encode())
        if self.architecture is not None:
            digest.update(self.architecture.encode())
        return digest.hexdigest()
