"""gentk-gans: the networks of SN-GAN and WGAN-GP, and recipes for both."""

from __future__ import annotations

import gentk.spec as gentk

__all__ = ["gentk_components"]


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the generators and critics of this distribution."""
    return [
        gentk.Component(
            kind="generator",
            name="sngan-cnn",
            target="gentk_gans.cnn:CNNGenerator",
            summary="transposed convolutions of SN-GAN's standard CNN; 32, 48 or 64 px",
        ),
        gentk.Component(
            kind="critic",
            name="sngan-cnn",
            target="gentk_gans.cnn:CNNCritic",
            summary="SN-GAN's standard CNN, spectrally normalised; 32, 48 or 64 px",
        ),
        gentk.Component(
            kind="generator",
            name="sngan-resnet",
            target="gentk_gans.resnet:ResNetGenerator",
            summary="residual blocks of one width (SN-GAN, WGAN-GP); 32 px",
        ),
        gentk.Component(
            kind="critic",
            name="sngan-resnet",
            target="gentk_gans.resnet:ResNetCritic",
            summary="four residual blocks of one width (SN-GAN, WGAN-GP); 32 px",
        ),
    ]
