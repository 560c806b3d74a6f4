"""Sampling: images of latents, from networks that are trained or in training."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..codec import Codec
from ..interfaces import Generator
from ..ranges import to_range
from ..statistics import CHUNK

__all__ = ["generate", "stand"]


@torch.no_grad()
def generate(generator: Generator, latents: Tensor, codec: Codec | None = None) -> Iterator[Tensor]:
    """Yield the images of latents in chunks, [0, 1], on the CPU; codes are decoded."""
    for chunk in latents.split(CHUNK):
        samples = generator(chunk)
        if codec is None:
            images = to_range(samples, generator.range, "unit")
        else:
            images = codec.decode(to_range(samples, generator.range, codec.range))
        yield images.clamp(0, 1).float().cpu()


@torch.no_grad()
def stand(generator: Generator, batch: int, device: torch.device) -> None:
    """Take the statistics of a generator's batch norms anew: their means over `standing` batches.

    Running statistics trail behind the weights, and behind averaged weights in another way: these are
    the weights' own. It ends in eval mode.
    """
    norms = [m for m in generator.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
        norm.train()
    for _ in range(generator.standing):
        generator(generator.prior.draw(batch, device))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    generator.eval()
