"""The cost of a step, told before it starts: enlarged images, and half precision that takes longer."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..engine.device import computes_bfloat16
from ..engine.replay import Replay
from ..families.composition import Composition
from ..feature_space import FeatureSpace, autocast
from ..interfaces import Extractor, ImageShape
from .passing import one_pass

__all__ = ["costs", "enlargements"]

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


SLOWER = 1.1
"""From how many times as long as in float32 on half precision is said to be slower."""

TURNS, MOST = 3, 16
"""How often a pass is timed, and of how many samples it is at most."""


def costs(composition: Composition) -> Iterator[str]:
    """Yield a sentence for each thing that makes a step of a run slower than it might be."""
    for sentence in (_enlarged(composition), _halved(composition)):
        if sentence is not None:
            yield sentence


def _enlarged(composition: Composition) -> str | None:
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


def _halved(c: Composition) -> str | None:
    """Say how much slower half precision is here, by passes of a few samples; None if it is not."""
    dtype = getattr(torch, c.recipe.dtype)
    if dtype == torch.float32:
        return None
    count = max(2, min(MOST, c.recipe.batch))
    seconds = _seconds_by_dtype(c, (torch.float32, dtype), count)
    ratio = seconds[dtype] / seconds[torch.float32]
    if ratio < SLOWER:
        return None
    reason = (
        "" if computes_bfloat16(c.device) else f", and {c.device.type} has no arithmetic for it"
    )
    return (
        f"{c.recipe.dtype} takes {ratio:.1f} times as long as float32 here (forward and backward with "
        f"{count} samples, {_duration(seconds[dtype])} and {_duration(seconds[torch.float32])})"
        f"{reason}; type --dtype float32"
    )


def _seconds_by_dtype(
    c: Composition, dtypes: tuple[torch.dtype, ...], count: int
) -> dict[torch.dtype, float]:
    """Return the seconds of a pass forward and backward in each type; buffers end as they were."""
    parts = [part for part in (c.generator, c.encoder, c.critic) if part is not None]
    networks = nn.ModuleList(parts)
    trained = [p for p in networks.parameters() if p.requires_grad]
    moment = Replay.capture(networks, c.device)
    fastest = dict.fromkeys(dtypes, float("inf"))
    for _ in range(TURNS):
        for dtype in dtypes:
            start = _now(c.device)
            with autocast(c.device, dtype):
                outputs = one_pass(c.generator, c.encoder, c.critic, count, c.device)
            if c.space is not None and not c.space.learned:
                outputs += _features(c, outputs[0], dtype)
            outputs = [value.sum() for value in outputs if value.requires_grad]
            torch.autograd.grad(outputs, trained, allow_unused=True)
            fastest[dtype] = min(fastest[dtype], _now(c.device) - start)
            moment.restore(networks)
    return fastest


def _features(c: Composition, images: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """Return the features of what the generator makes, computed in a type."""
    assert c.space is not None
    kept, c.space.dtype = c.space.dtype, dtype
    try:
        return [*c.space(images, c.generator.range).values()]
    finally:
        c.space.dtype = kept


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
