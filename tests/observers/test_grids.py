"""Sample grids: files, and the pictures themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gentk.errors import DataError
from gentk.events import Progress, RunStarted, Sampled
from gentk.grid import GUTTER, VISIBLE, tile
from gentk.observers.grids import SampleGrids


def test_samples_become_pictures(tmp_path) -> None:
    """A picture is named by the images seen, nine digits; before the first there is no folder."""
    grids = SampleGrids()
    grids.observe(RunStarted(Progress(), tmp_path, {}, 10, None))
    assert list(tmp_path.iterdir()) == []

    for images in (640, 64_000_000):
        grids.observe(Sampled(Progress(1, images), torch.rand(64, 3, 32, 32)))
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())

    assert names == ["000000640.png", "064000000.png"]
    with Image.open(tmp_path / "samples" / names[0]) as picture:
        assert picture.size == (8 * (64 + GUTTER) + GUTTER,) * 2


def test_failed_drawing_leaves_the_last_picture(tmp_path, monkeypatch) -> None:
    """A picture is replaced whole or not at all."""
    grids = SampleGrids()
    grids.observe(RunStarted(Progress(), tmp_path, {}, 10, None))
    event = Sampled(Progress(1, 64), torch.rand(4, 1, 8, 8))
    grids.observe(event)
    path = tmp_path / "samples" / "000000064.png"
    before = path.read_bytes()

    def fail(self: Image.Image, file: Path, **_: object) -> None:
        Path(file).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        grids.observe(event)

    assert path.read_bytes() == before


@given(
    count=st.integers(1, 20),
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    columns=st.integers(1, 9),
    scale=st.integers(1, 3),
)
def test_tile_holds_every_pixel_in_its_place(
    count, channels, height, width, columns, scale
) -> None:
    """Image i stands in row i // columns, column i % columns, pixels enlarged, the rest white."""
    images = torch.randint(0, 255, (count, channels, height, width))

    sheet = np.array(tile(images / 255, columns, scale)).astype(int)
    columns = min(columns, count)
    rows = -(-count // columns)
    down, across = height * scale + GUTTER, width * scale + GUTTER
    assert sheet.shape[:2] == (rows * down + GUTTER, columns * across + GUTTER)

    for index in range(count):
        top, left = index // columns * down + GUTTER, index % columns * across + GUTTER
        block = sheet[top : top + height * scale, left : left + width * scale]
        wanted = images[index].permute(1, 2, 0).numpy().repeat(scale, 0).repeat(scale, 1)
        assert np.array_equal(block.reshape(wanted.shape), wanted)
        sheet[top : top + height * scale, left : left + width * scale] = 255
    assert (sheet == 255).all()


@pytest.mark.parametrize(("size", "side"), [(8, 64), (28, 84), (32, 64), (64, 64), (100, 100)])
def test_small_images_are_enlarged(size, side) -> None:
    """Without a scale a tile has at least 64 pixels, in whole multiples."""
    sheet = tile(torch.zeros(1, 1, size, size))

    assert sheet.size == (side + 2 * GUTTER,) * 2
    assert side >= VISIBLE


def test_values_outside_are_clipped() -> None:
    """What is below 0 or above 1 is clipped, what is no number is black, the rest is rounded."""
    values = torch.tensor([-1.0, 0.0, 0.499 / 255, 0.501 / 255, 1.0, 7.0, torch.nan, torch.inf])

    row = np.array(tile(values.view(8, 1, 1, 1), 8, 1))[GUTTER, GUTTER :: GUTTER + 1]

    assert row.tolist() == [0, 0, 0, 1, 255, 255, 0, 255]


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 2, 4, 4), (3, 4, 4)])
def test_what_is_no_picture_is_refused(shape) -> None:
    """No images, or images of two channels, cannot be drawn."""
    with pytest.raises(DataError, match="cannot draw images of shape"):
        tile(torch.zeros(shape))
