"""Features: extractors built by name and put side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch

from ..engine import randomness
from ..errors import Incompatible
from ..families.shared import shared_options
from ..feature_space import FeatureSpace, unlearned
from ..interfaces import Extractor, ImageShape
from ..registry import Registry
from ..selection import distinct

__all__ = ["extractor_space"]

Notice = Callable[[str], None]


def extractor_space(
    texts: tuple[str, ...],
    registry: Registry,
    image: ImageShape,
    device: torch.device,
    notice: Notice = lambda message: None,
    *,
    learned: bool = False,
    weighed: bool = False,
) -> FeatureSpace:
    """Build extractors and put them side by side, on `device`.

    Args:
        texts: How they are written.
        registry: Where names are looked up.
        image: The shape of the images to come.
        device: Where they go.
        notice: Called with sentences people should read.
        weighed: Whether they may have the options of extractors in training, a weight.
        learned: Whether there is a critic in training, whose features an extractor may be of.
    """
    extractors: dict[str, Extractor] = {}
    for name, text in zip(distinct(texts), texts, strict=True):
        # Random weights (weights=none) are the same in every run, so that runs can be compared.
        with randomness.lent(torch.device("cpu"), seed=0):
            shared = shared_options("extractor") if weighed else []
            extractor = registry.build("extractor", text, shared=shared)[0]
        extractors[name] = cast(Extractor, extractor)
        if extractors[name].sees == "critic" and not learned:
            raise Incompatible(unlearned(name))
    space = FeatureSpace(extractors, image.channels).to(device)
    space.to(memory_format=torch.channels_last)
    for name, extractor in extractors.items():
        size = getattr(extractor, "image", None)
        if size is not None and size != image:
            raise Incompatible(
                f"extractor {name!r} reads images of {tuple(size)}, these are {tuple(image)} "
                f"(channels, height, width); add size={size.height},channels={size.channels} to "
                "--data"
            )
        for note in extractor.notes:
            notice(note)
    for name in space.repeated(image.channels):
        notice(f"the images are greyscale; they are repeated to colour for {name}")
    return space
