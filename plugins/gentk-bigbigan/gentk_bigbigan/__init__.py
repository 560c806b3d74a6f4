"""gentk-bigbigan: BigGAN without labels, and BigBiGAN, which adds an encoder and the critics H and J."""

from __future__ import annotations

import gentk.spec as gentk

__all__ = ["gentk_components"]


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the generator, critics, encoders and the metric of this distribution."""
    return [
        gentk.Component(
            kind="generator",
            name="biggan",
            target="gentk_bigbigan.generator:BigGANGenerator",
            summary="BigGAN's generator without labels; 32, 64, 128 or 256 px",
        ),
        gentk.Component(
            kind="critic",
            name="biggan",
            target="gentk_bigbigan.critic:BigGANCritic",
            summary="BigGAN's discriminator of images alone; 32, 64, 128 or 256 px",
        ),
        gentk.Component(
            kind="critic",
            name="fhj",
            target="gentk_bigbigan.fhj:FHJCritic",
            summary="BigBiGAN's F on x, H on z and J on both; scores x, z and xz",
        ),
        gentk.Component(
            kind="encoder",
            name="resnet",
            target="gentk_bigbigan.resnet:ResNetEncoder",
            summary="ResNet-v2 that gives a distribution over latents; multiples of 16 px",
        ),
        gentk.Component(
            kind="encoder",
            name="revnet",
            target="gentk_bigbigan.revnet:RevNetEncoder",
            summary="the same of reversible units, whose activations need not be kept",
        ),
        gentk.Component(
            kind="metric",
            name="probe",
            target="gentk_bigbigan.probe:Probe",
            summary="accuracy of a simple classifier on frozen features of labelled images",
        ),
    ]
