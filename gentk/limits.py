"""Limits: sizes and option values that a network can work with, and the sentences that refuse others.

For plugins: whoever refuses in these words refuses as gentk's own networks do.
"""

from __future__ import annotations

from collections.abc import Mapping

from .errors import BadOption, Incompatible
from .interfaces import ImageShape

__all__ = ["at_least", "positive", "share", "square_of"]


def square_of(owner: str, image: ImageShape, sides: tuple[int, ...], other: str) -> int:
    """Return the side of a square image; raise `Incompatible` if it is none of `sides`.

    Args:
        owner: What to call the network, such as `generator 'biggan'`.
        image: The shape that was asked for.
        sides: The sides it knows, in pixels.
        other: What to type for a network of other sizes, such as `--generator mlp`.
    """
    if image.height == image.width and image.width in sides:
        return image.width
    largest = max(image.height, image.width)
    nearest = min(sides, key=lambda side: abs(side - largest))
    known = ", ".join(map(str, sides[:-1]))
    known = f"{known} or {sides[-1]}" if known else str(sides[-1])
    raise Incompatible(
        f"{owner} knows square images of {known} px, not {image.height}x{image.width}; "
        f"add size={nearest} to the data, or type {other}"
    )


def at_least(minimum: int, owner: str, options: Mapping[str, int]) -> None:
    """Raise `BadOption` for the first of a network's options that is below `minimum`."""
    for name, value in options.items():
        if value < minimum:
            raise BadOption(
                f"{owner}: option {name!r} must be at least {minimum}, not {value}; "
                f"write {name}={minimum} or more"
            )


def positive(owner: str, options: Mapping[str, float]) -> None:
    """Raise `BadOption` unless every one of `options` is above 0."""
    for name, value in options.items():
        if not value > 0:
            raise BadOption(f"{owner}: {name}={value} is not above 0; write {name}=1")


def share(owner: str, options: Mapping[str, float]) -> None:
    """Raise `BadOption` for the first option that is no share in [0, 1)."""
    for name, value in options.items():
        if not 0 <= value < 1:
            raise BadOption(
                f"{owner}: option {name!r} is a share in [0, 1), not {value}; write {name}=0.2"
            )
