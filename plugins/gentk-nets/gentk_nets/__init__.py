"""gentk-nets: generators, encoders and critics that need nothing but torch."""

from __future__ import annotations

import gentk.spec as gentk

__all__ = ["gentk_components"]


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the networks of this distribution."""
    return [
        gentk.Component(
            kind="generator",
            name="mlp",
            target="gentk_nets.mlp:MLPGenerator",
            summary="Fully connected network of GMMN; images of any shape",
        ),
        gentk.Component(
            kind="generator",
            name="dcgan",
            target="gentk_nets.dcgan:DCGANGenerator",
            summary="Transposed convolutions with batch norm; 32, 48, 64 or 128 px",
        ),
        gentk.Component(
            kind="generator",
            name="resnet",
            target="gentk_nets.resnet:ResNetGenerator",
            summary="Residual blocks that upsample; 8 px and every power of two above",
        ),
        gentk.Component(
            kind="encoder",
            name="mlp",
            target="gentk_nets.mlp_encoder:MLPEncoder",
            summary="Fully connected encoder of GMMN+AE; images of any shape, and codes",
        ),
        gentk.Component(
            kind="encoder",
            name="dcgan",
            target="gentk_nets.dcgan_encoder:DCGANEncoder",
            summary="DCGAN's discriminator as an encoder; 32, 48, 64 or 128 px",
        ),
        gentk.Component(
            kind="encoder",
            name="vgg",
            target="gentk_nets.vgg_encoder:VGGEncoder",
            summary="VGG13 with batch norm; multiples of 32 px",
        ),
        gentk.Component(
            kind="critic",
            name="dcgan",
            target="gentk_nets.dcgan_critic:DCGANCritic",
            summary="DCGAN's strided convolutions, with batch norm or without; 32, 48, 64 or 128 px",
        ),
        gentk.Component(
            kind="critic",
            name="mlp",
            target="gentk_nets.mlp_critic:MLPCritic",
            summary="Fully connected critic; images of any shape",
        ),
    ]
