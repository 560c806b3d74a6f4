"""gentk-gans: the networks of SN-GAN, WGAN-GP and MMD GANs, and recipes for them."""

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
        gentk.Component(
            kind="critic",
            name="mmdgan-autoencoder",
            target="gentk_gans.mmdgan:AutoencodingCritic",
            summary="a convolutional auto-encoder, whose codes are compared (MMD GAN); 32 or 64 px",
        ),
        gentk.Component(
            kind="critic",
            name="mmdgan-dcgan",
            target="gentk_gans.mmdgan:StridedCritic",
            summary="four strided convolutions and a code, no norms (MMD GANs of rq*); 16 to 64 px",
        ),
        gentk.Component(
            kind="critic",
            name="molm",
            target="gentk_gans.molm:MomentNetwork",
            summary="a network whose gradient in its weights is matched (learned moments); 16 to 64 px",
        ),
    ]
