"""Tests of gentk.data.picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gentk.data import View, read_image
from gentk.data.picture import picture, plain
from gentk.errors import DataError

Noise = Callable[..., Image.Image]


@given(st.integers(3, 90), st.integers(3, 90), st.integers(1, 64))
def test_size_gives_that_square(width: int, height: int, size: int) -> None:
    """Any image becomes size x size."""
    image = Image.new("RGB", (width, height), (10, 200, 30))
    array = picture(image, View(size=size))
    assert array.shape == (3, size, size)
    assert (array == np.array([10, 200, 30]).reshape(3, 1, 1)).all()


def test_images_of_the_size_are_untouched(noise: Noise) -> None:
    """An image of the right size keeps its exact pixels."""
    image = noise(0)
    assert (picture(image, View(size=8)) == np.asarray(image).transpose(2, 0, 1)).all()


def test_resize_is_antialiased() -> None:
    """Halving a fine checkerboard gives its mean, not a sample of it."""
    board = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)
    half = picture(Image.fromarray(board), View(size=16))
    assert abs(half[:, 1:-1, 1:-1].astype(float) - 127.5).max() < 1


def test_resize_halves_by_the_triangle_filter() -> None:
    """A factor of 2 weighs four pixels 1, 3, 3, 1 (of 8) along each axis, computed here."""
    values = np.random.default_rng(0).integers(0, 256, (16, 16))
    weights = np.zeros((8, 16))
    for row in range(1, 7):
        weights[row, 2 * row - 1 : 2 * row + 3] = np.array([1, 3, 3, 1]) / 8
    expected = weights @ values @ weights.T
    got = picture(Image.fromarray(values.astype(np.uint8)), View(size=8))[0]
    assert abs(got - expected)[1:7, 1:7].max() <= 1  # rounded once per axis


def test_shorter_side_then_centre() -> None:
    """A wide image is scaled by its height, and its middle is kept."""
    array = np.zeros((4, 12), np.uint8)
    array[:, 4:8] = 255
    assert (picture(Image.fromarray(array), View(size=4)) == 255).all()


def test_crop_comes_before_size(noise: Noise) -> None:
    """`crop=6` takes the central square, which `size` then resizes."""
    image = noise(0, 10, 12)
    cut = np.asarray(image)[3:9, 2:8]
    assert (picture(image, View(crop=6)) == cut.transpose(2, 0, 1)).all()
    again = picture(Image.fromarray(cut), View(size=3))
    assert (picture(image, View(crop=6, size=3)) == again).all()
    with pytest.raises(DataError, match="crop=11 does not fit an image of 10 x 12"):
        picture(image, View(crop=11))


def test_channels_convert_both_ways(noise: Noise) -> None:
    """Grey is repeated to colour; colour becomes luma."""
    grey = picture(noise(0, mode="L"), View(channels=3))
    assert (grey[0] == grey[1]).all()
    assert (grey[0] == grey[2]).all()
    red = picture(Image.new("RGB", (2, 2), (255, 0, 0)), View(channels=1))
    assert (red == round(0.299 * 255)).all()


@pytest.mark.parametrize(
    ("image", "mode", "value"),
    [
        (Image.new("RGBA", (1, 1), (200, 0, 0, 0)), "RGB", (255, 255, 255)),
        (Image.new("RGBA", (1, 1), (200, 0, 0, 255)), "RGB", (200, 0, 0)),
        (Image.new("LA", (1, 1), (0, 0)), "L", 255),
        (Image.new("1", (1, 1), 1), "L", 255),
        (Image.new("CMYK", (1, 1), (0, 0, 0, 0)), "RGB", (255, 255, 255)),
        (Image.new("RGB", (1, 1), (9, 8, 7)).convert("P"), "RGB", None),
        (Image.fromarray(np.array([[65535]], np.uint16)), "L", 255),
        (Image.fromarray(np.array([[257]], np.uint16)), "L", 1),
    ],
)
def test_modes_become_grey_or_colour(
    image: Image.Image, mode: str, value: int | tuple[int, int, int] | None
) -> None:
    """Transparency is laid on white, 16 bits are scaled to 8, colour spaces become RGB."""
    result = plain(image)
    assert result.mode == mode
    assert value is None or result.getpixel((0, 0)) == value


def test_floating_point_pixels_are_refused() -> None:
    """Pixels whose white is not known are an error, not noise, and the option that fits is told."""
    with pytest.raises(DataError, match="white=1"):
        plain(Image.fromarray(np.zeros((2, 2), np.float32)))
    with pytest.raises(DataError, match="white=255"):
        plain(Image.fromarray(np.full((2, 2), 200, np.int32)))
    image = Image.fromarray(np.array([[0.0, 1.0]], np.float32))
    assert np.asarray(plain(image, white=1)).tolist() == [[0, 255]]
    with pytest.raises(DataError, match=r"must be in 0\.\.255: add white=65535"):
        plain(Image.fromarray(np.full((2, 2), 300, np.int32)), white=255)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_damaged_files_raise_os_error(
    kind: str, noise: Noise, encode: Callable[..., bytes]
) -> None:
    """However a file is damaged, no error but OSError comes of reading it."""
    whole = encode(noise(0, 16, 16), kind)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = np.frombuffer(whole, np.uint8).copy()
        where = rng.integers(0, min(len(whole), rng.choice([60, 10_000])), size=4)
        damaged[where] = rng.integers(0, 256, size=4)
        try:
            read_image(damaged.tobytes()[: rng.integers(1, 2 * len(whole))])
        except OSError:
            refused += 1
    assert refused > 0
