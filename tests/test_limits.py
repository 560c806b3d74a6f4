"""Limits: one sentence for each thing a network cannot work with."""

from __future__ import annotations

import pytest

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import ImageShape
from gentk.limits import at_least, positive, share, square_of


def test_a_square_of_a_known_side_is_taken():
    """Its side is returned; others are refused with the nearest one and another network."""
    assert square_of("generator 'x'", ImageShape(3, 64, 64), (32, 64), "--generator mlp") == 64
    for image, nearest in ((ImageShape(1, 28, 28), 32), (ImageShape(3, 64, 70), 64)):
        with pytest.raises(Incompatible) as caught:
            square_of("generator 'x'", image, (32, 64), "--generator mlp")
        assert str(caught.value) == (
            f"generator 'x' knows square images of 32 or 64 px, not {image.height}x{image.width}; "
            f"add size={nearest} to the data, or type --generator mlp"
        )
    with pytest.raises(Incompatible, match=r"images of 32 px, not 8x8"):
        square_of("critic 'x'", ImageShape(1, 8, 8), (32,), "--critic y")


def test_numbers_have_a_least_value_and_shares_are_shares():
    """The first option that is out of range is named, with what to write."""
    at_least(1, "encoder 'x'", {"width": 1, "depth": 7})
    with pytest.raises(BadOption, match="'depth' must be at least 1, not 0; write depth=1 or more"):
        at_least(1, "encoder 'x'", {"width": 1, "depth": 0})
    share("critic 'x'", {"dropout": 0.0})
    for value in (1.0, -0.1, float("nan")):
        with pytest.raises(BadOption, match=r"write dropout=0.2"):
            share("critic 'x'", {"dropout": value})


def test_factors_are_above_nought():
    """The first that is not is named, with what to write."""
    positive("loss 'x'", {"weight": 0.1, "beta": 7.0})
    for value in (0.0, -1.0, float("nan")):
        with pytest.raises(BadOption, match=r"write beta=1"):
            positive("loss 'x'", {"weight": 1.0, "beta": value})
