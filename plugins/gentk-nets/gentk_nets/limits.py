"""Limits: the sizes and option values the generators can work with, and how they refuse others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import ImageShape

__all__ = ["DCGAN_SIDES", "at_least", "makes_dcgan", "makes_resnet", "wrong_size"]

DCGAN_SIDES: Final = (32, 48, 64, 128)
"""The square sizes that `dcgan` makes, in pixels."""


def makes_dcgan(image: ImageShape) -> bool:
    """Return whether `dcgan` makes images of this size."""
    return image.height == image.width and image.width in DCGAN_SIDES


def makes_resnet(image: ImageShape) -> bool:
    """Return whether `resnet` makes images of this size: squares of 8, 16, 32, ... px."""
    return image.height == image.width >= 8 and image.width.bit_count() == 1


def wrong_size(generator: str, makes: str, image: ImageShape, nearest: int) -> Incompatible:
    """Return the error of a size that a generator cannot make.

    Args:
        generator: The generator's name.
        makes: The sizes it does make, in words.
        image: The shape that was asked for.
        nearest: The side of the square image closest to it that the generator makes, in pixels.
    """
    able = "resnet" if makes_resnet(image) else "dcgan" if makes_dcgan(image) else "mlp"
    return Incompatible(
        f"generator {generator!r} makes {makes}, not {image.height}x{image.width}; "
        f"add size={nearest} to the data, or type --generator {able}"
    )


def at_least(minimum: int, generator: str, options: Mapping[str, int]) -> None:
    """Raise `BadOption` for the first of a generator's options that is below `minimum`."""
    for name, value in options.items():
        if value < minimum:
            raise BadOption(
                f"generator {generator!r}: option {name!r} must be at least {minimum}, "
                f"not {value}; write {name}={minimum} or more"
            )
