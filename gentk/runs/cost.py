"""The cost of a step, told before it starts where an extractor enlarges the images."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from ..families.composition import Composition
from ..feature_space import FeatureSpace
from ..interfaces import Extractor, ImageShape

__all__ = ["enlargements", "step_cost"]

FACTOR = 4
"""From how many times as many pixels on it is said."""


def enlargements(space: FeatureSpace, image: ImageShape) -> Iterator[str]:
    """Yield a sentence for each extractor that makes at least `FACTOR` times the pixels of an image."""
    for name, extractor in zip(space.names, space.extractors, strict=True):
        assert isinstance(extractor, Extractor)
        if extractor.input_size is None or extractor.sees != "images":
            continue
        height, width = extractor.input_size
        factor = height * width / (image.height * image.width)
        if factor >= FACTOR:
            yield (
                f"{name.partition('#')[0]} resizes the {image.height} x {image.width} images to "
                f"{height} x {width}, {factor:,.0f} times as many pixels"
            )


def step_cost(composition: Composition) -> str | None:
    """Say what enlarged images cost, by a pass of one image forward and backward; None if none are."""
    space, r = composition.space, composition.recipe
    if space is None:
        return None
    larger = list(enlargements(space, composition.images.shape))
    if not larger:
        return None
    forward, both = _seconds(space, composition.images.shape, composition.device)
    step = r.batch * (both if r.chunk is None or r.chunk >= r.batch else both + forward)
    return (
        f"{'; '.join(larger)}: a step of {r.batch} takes about {_duration(step)} in its features, and "
        f"before the first one {len(composition.images):,} images of the data "
        f"{_duration(len(composition.images) * forward)}, once; a network that takes small images, a "
        "smaller one or a smaller --batch costs less"
    )


def _seconds(space: FeatureSpace, image: ImageShape, device: torch.device) -> tuple[float, float]:
    """Return the seconds of one image forward, and forward and backward."""
    images = torch.zeros(1, *image, device=device)
    with torch.no_grad():
        space.of_images(images)  # The first pass allocates.
        start = _now(device)
        space.of_images(images)
        middle = _now(device)
    features = space.of_images(images.requires_grad_())
    torch.autograd.grad([value.sum() for value in features.values()], images, allow_unused=True)
    return middle - start, _now(device) - middle


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _duration(seconds: float) -> str:
    """Return a duration to one unit: 8 s, 3 min, 2.5 h."""
    if seconds < 100:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
