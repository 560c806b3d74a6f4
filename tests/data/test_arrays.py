"""Tests of gentk.data.arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gentk.data import ArrayRecords
from gentk.errors import DataError

COLOUR = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "stored",
    [
        COLOUR,
        COLOUR.transpose(0, 3, 1, 2),
        COLOUR.astype(np.int64),
        COLOUR / 255,
        (COLOUR / 255).astype(np.float32),
    ],
)
def test_layouts_and_types_give_the_same_images(stored: NDArray[Any]) -> None:
    """Channels first or last, integers or [0, 1] floats: the pixels are the same."""
    records = ArrayRecords(stored)
    assert len(records) == 5
    for index in range(5):
        assert (np.asarray(records.decode(index)) == COLOUR[index]).all()


@pytest.mark.parametrize(
    "stored", [COLOUR[..., 0], COLOUR[..., :1], COLOUR[..., :1].transpose(0, 3, 1, 2)]
)
def test_grey_images_need_no_channel_axis(stored: NDArray[Any]) -> None:
    """Grey images come without a channel axis, or with one of length 1."""
    image = ArrayRecords(stored).decode(2)
    assert image.mode == "L"
    assert (np.asarray(image) == COLOUR[2, ..., 0]).all()


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (COLOUR.astype(np.float32) / 127.5 - 1, r"from -1\.0 to 1\.0"),
        (np.full((1, 2, 2), np.nan), "from nan to nan"),
        (COLOUR.astype(np.int32) * 2, "integers in 0..255"),
        (COLOUR[..., :2], "shape"),
        (COLOUR[0, 0], "shape"),
        (np.full((1, 2, 2), "a"), "must be numbers"),
    ],
)
def test_other_arrays_are_refused(stored: NDArray[Any], message: str) -> None:
    """Values or shapes that are no images are refused with what was found."""
    with pytest.raises(DataError, match=message):
        ArrayRecords(stored)


def test_labels_must_fit() -> None:
    """Labels are integers, one per image."""
    with pytest.raises(DataError, match="5 images and 4 labels"):
        ArrayRecords(COLOUR, labels=[0, 1, 2, 3])
    with pytest.raises(DataError, match="labels must be integers"):
        ArrayRecords(COLOUR, labels=np.zeros(5))
