"""Sizes: the images that the networks can work with, and what to take for others."""

from __future__ import annotations

from typing import Final

from gentk.errors import Incompatible
from gentk.interfaces import ImageShape

__all__ = ["DCGAN_SIDES", "makes_dcgan", "makes_resnet", "reads_vgg", "wrong_size"]

DCGAN_SIDES: Final = (32, 48, 64, 128)
"""The square sizes that `dcgan`, generator and encoder, works with, in pixels."""


def makes_dcgan(image: ImageShape) -> bool:
    """Return whether `dcgan` makes, and reads, images of this size."""
    return image.height == image.width and image.width in DCGAN_SIDES


def makes_resnet(image: ImageShape) -> bool:
    """Return whether `resnet` makes images of this size: squares of 8, 16, 32, ... px."""
    return image.height == image.width >= 8 and image.width.bit_count() == 1


def reads_vgg(image: ImageShape) -> bool:
    """Return whether `vgg` reads images of this size: squares of 32, 64, 96, ... px."""
    return image.height == image.width and image.width % 32 == 0


def wrong_size(
    name: str, sizes: str, image: ImageShape, nearest: int, kind: str = "generator"
) -> Incompatible:
    """Return the error of a size that a generator cannot make or an encoder cannot read.

    Args:
        name: The network's name.
        sizes: The sizes it does know, in words.
        image: The shape that was asked for.
        nearest: The side of the square image closest to it that the network knows, in pixels.
        kind: `generator` or `encoder`.
    """
    able = "dcgan" if makes_dcgan(image) else "mlp"
    if kind == "generator":
        does, able = "makes", "resnet" if makes_resnet(image) else able
    else:
        does, able = "reads", "vgg" if reads_vgg(image) else able
    return Incompatible(
        f"{kind} {name!r} {does} {sizes}, not {image.height}x{image.width}; "
        f"add size={nearest} to the data, or type --{kind} {able}"
    )
