"""Passing: samples taken through the networks of a run once, as a step takes them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..interfaces import Critic, Encoder, Generator
from ..ranges import resized, to_range

__all__ = ["one_pass"]


def one_pass(
    generator: Generator,
    encoder: Encoder | None,
    critic: Critic | None,
    count: int,
    device: torch.device,
) -> list[Tensor]:
    """Return what networks make of `count` latents: images and, of these, codes and scores.

    Args:
        generator: G.
        encoder: E, if there is one.
        critic: The critic, if there is one.
        count: Samples.
        device: Where the networks are.
    """
    latents = generator.prior.draw(count, device)
    images: Tensor = generator(latents)
    outputs = [images]
    if encoder is not None:
        outputs.append(
            encoder(to_range(resized(images, encoder.image), generator.range, encoder.range))
        )
    if critic is not None:
        z, classes = generator.prior.split(latents)
        x, pair = to_range(images, generator.range, critic.range), z if critic.pairs else None
        scores = critic(x, pair, classes) if critic.classes else critic(x, pair)
        outputs += scores.values()
    return outputs
