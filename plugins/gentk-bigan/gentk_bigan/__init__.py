"""gentk-bigan: BiGAN and ALI, whose critics judge pairs of images and latents."""

from __future__ import annotations

import gentk.spec as gentk

__all__ = ["gentk_components"]


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the critics, generators and encoders of this distribution."""
    return [
        gentk.Component(
            kind="critic",
            name="bigan",
            target="gentk_bigan.bigan_critic:BiGANCritic",
            summary="BiGAN's: z enters hidden layers but the first; any shape, or 32 px and above",
        ),
        gentk.Component(
            kind="critic",
            name="ali",
            target="gentk_bigan.ali_critic:ALICritic",
            summary="ALI's: maxout convolutions of x, maxout layers of z and both; 32 px",
        ),
        gentk.Component(
            kind="generator",
            name="bigan",
            target="gentk_bigan.bigan_generator:BiGANGenerator",
            summary="BiGAN's fully connected network, z in every hidden layer; any shape",
        ),
        gentk.Component(
            kind="generator",
            name="ali",
            target="gentk_bigan.ali_generator:ALIGenerator",
            summary="ALI's transposed convolutions; 32 px",
        ),
        gentk.Component(
            kind="encoder",
            name="bigan",
            target="gentk_bigan.bigan_encoder:BiGANEncoder",
            summary="BiGAN's fully connected network; any shape",
        ),
        gentk.Component(
            kind="encoder",
            name="ali",
            target="gentk_bigan.ali_encoder:ALIEncoder",
            summary="ALI's convolutions, which give a Gaussian over latents; 32 px",
        ),
    ]
