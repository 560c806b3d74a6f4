"""Inputs as they are out there (../shared/cases): each is read right, or refused, and said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from gentk.data import ImageSet
from gentk.errors import DataError
from gentk.registry import Registry
from gentk.runs.images import data_name, open_data

CASES = Path(__file__).parents[3] / "shared" / "cases" / "data"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"{CASES} is not there")

Opened = tuple[ImageSet, str]


@pytest.fixture
def opened(own_cache: None) -> Callable[..., Opened]:
    """Return a function that opens data of the cases, and what is said of them."""
    registry = Registry()

    def make(kind: str, place: str, **options: object) -> Opened:
        said: list[str] = []
        text = ",".join([f"{kind}:{CASES / place}", *(f"{k}={v}" for k, v in options.items())])
        images = open_data(text, registry, said.append)
        return images, "\n".join([images.summary(), *said])

    return make


def labels(images: ImageSet) -> list[int] | None:
    """The labels as a list."""
    return None if images.labels is None else images.labels.tolist()


@pytest.mark.parametrize(
    ("kind", "place", "options", "count", "classes", "first", "said"),
    [
        ("folder", "lacks", {}, 9, "abcd", [0, 0, 0, 1], "1 class not among the train images: d"),
        ("folder", "lacks", {"split": "test"}, 9, "abcd", [1, 1, 1, 2], "splits: train 9, test 9"),
        ("folder", "sep", {"split": "test"}, 40, "abc", [1, 1], "2 classes (b 20, c 20)"),
        ("folder", "valid", {}, 12, "ab", [0], "splits: train 12, validation 6"),
        ("folder", "valid", {"split": "test"}, 6, "ab", [0], "6 test images"),
        ("folder", "valid", {"split": "validation"}, 6, "ab", [0], "6 validation images"),
        ("folder", "Caps", {}, 12, "ab", [0], "splits: train 12, test 6"),
        ("folder", "jfif_class", {}, 8, ["cat", "dog"], [0, 0, 0, 0, 1], "2 classes"),
        ("folder", "mixed2", {"memory": 0}, 200, None, None, "colour"),
        ("folder", "mixed2", {}, 200, None, None, "colour"),
        ("folder", "damaged", {}, 7, None, None, "6 damaged images"),
        ("folder", "damaged", {"memory": 0}, 7, None, None, "6 damaged images"),
        ("parquet", "pandas.parquet", {}, 16, ["ant", "bee", "cat", "dog"], [2, 3], "4 classes"),
        ("parquet", "pandascat.parquet", {}, 16, ["ant", "bee", "cat", "dog"], [2], "4 classes"),
        ("npz", "labels_str.npz", {}, 64, "abcd", [0, 1, 2, 3, 0], "4 classes"),
        ("parquet", "pq/twometa.parquet", {}, 64, "wxyz", [0, 1], "column image, and not mask"),
        ("parquet", "hub", {}, 64, "0123", [0, 1, 2, 3], "splits: train 64, test 10"),
        ("parquet", "hub", {"split": "test"}, 10, "0123", [0, 1, 2, 3], "10 test images"),
        ("npz", "bool.npz", {}, 64, None, None, "no labels"),
        ("folder", "int32_tif", {"white": 255}, 1, None, None, "scaled so that white=255"),
        ("folder", "icc", {}, 3, None, None, "2 images converted from their colour profile"),
    ],
)
def test_each_case_is_right_and_said(
    opened: Callable[..., Opened],
    kind: str,
    place: str,
    options: dict[str, Any],
    count: int,
    classes: str | list[str] | None,
    first: list[int] | None,
    said: str,
) -> None:
    """Counts, classes, labels, and the sentence that tells what was done."""
    images, told = opened(kind, place, **options)
    assert len(images) == count
    assert images.classes == (None if classes is None else list(classes))
    assert (labels(images) or [None])[: len(first or [None])] == (first or [None])
    assert said in told


def test_lazy_and_held_cases_are_the_same(opened: Callable[..., Opened]) -> None:
    """The same pixels, the same notices, whatever the memory."""
    for place in ("mixed2", "damaged", "exif"):
        held, told = opened("folder", place, size=16)
        lazy, again = opened("folder", place, size=16, memory=0)
        assert (held.batch(range(len(held))) == lazy.batch(range(len(lazy)))).all()
        assert held.pixels.extremes == lazy.pixels.extremes
        silent = [
            line for line in again.splitlines() if "more than the 0 bytes of memory=" not in line
        ]
        ours = "\n".join(silent).replace(",memory=0", "")
        assert told == ours.replace("decoded as they are used", "in memory")
        assert len(silent) < len(again.splitlines())


def test_boolean_pictures_are_black_and_white(opened: Callable[..., Opened]) -> None:
    """Values are 0 and 255."""
    images, _ = opened("npz", "bool.npz")
    expected = np.load(CASES / "bool.npz")["images"] * 255
    assert (images.batch(range(64))[:, 0].numpy() == expected).all()


def test_32_bit_pictures_are_refused_with_what_fits(opened: Callable[..., Opened]) -> None:
    """Nothing says what white is: the refusal does, and with it pixels are as stored."""
    with pytest.raises(DataError, match=r"a\.tif: its pixels are 32-bit, from 0 to 255.*white=255"):
        opened("folder", "int32_tif")
    images, _ = opened("folder", "int32_tif", white=255)
    stored = np.asarray(Image.open(CASES / "int32_tif" / "a.tif"))
    assert (images.batch([0])[0, 0].numpy() == stored).all()


def test_16_bit_transparency_is_white(opened: Callable[..., Opened]) -> None:
    """As in an 8-bit picture."""
    images, _ = opened("folder", "sixteen_trns")
    image = Image.open(CASES / "sixteen_trns" / "a.png")
    values = np.asarray(image).astype(int)
    clear = values == image.info["transparency"]
    assert clear.any() and not clear.all()
    expected = np.where(clear, 255, np.rint(values / 257))
    assert (images.batch([0])[0, 0].numpy() == expected).all()


def test_orientations_are_upright(opened: Callable[..., Opened]) -> None:
    """Each is turned as Pillow turns it; the option gives what is stored."""
    images, told = opened("folder", "exif", size=16)
    stored, silent = opened("folder", "exif", size=16, orientation="stored")
    flat = stored.batch(range(8)).float()
    assert float((flat - flat[:1]).abs().mean()) < 6  # one picture, stored eight times
    assert float((images.batch(range(8)).float() - flat).abs().mean((1, 2, 3))[1:].min()) > 10
    assert "7 images turned upright" in told
    assert "turned" not in silent
    files = sorted((CASES / "exif").iterdir())
    for index, file in enumerate(files):
        upright = ImageOps.exif_transpose(Image.open(file))
        side = 16
        scale = (
            side * upright.width // min(upright.size),
            side * upright.height // min(upright.size),
        )
        small = upright.resize(scale, Image.Resampling.BILINEAR)
        left, top = (small.width - side) // 2, (small.height - side) // 2
        cut = np.asarray(small.crop((left, top, left + side, top + side)))
        assert (images.batch([index])[0].numpy().transpose(1, 2, 0) == cut).all()


def test_linear_light_becomes_srgb(opened: Callable[..., Opened]) -> None:
    """A linear profile's values are encoded by sRGB's closed form; a picture without one is as it is."""
    images, _ = opened("folder", "icc")
    linear, plain = (
        np.asarray(Image.open(CASES / "icc" / f"{n}.png")) for n in ("linear", "plain")
    )
    x = linear / 255
    encoded = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)
    got = images.batch(range(3)).numpy().transpose(0, 2, 3, 1)
    assert np.abs(got[0] - 255 * encoded).max() <= 3
    assert (got[1] == plain).all()


def test_a_link_to_the_folder_above_is_not_followed(tmp_path: Path, own_cache: None) -> None:
    """Three images stay three, and the link is said."""
    for number in range(3):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / "a" / f"{number}.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    said: list[str] = []
    assert len(open_data(f"folder:{tmp_path}", Registry(), said.append)) == 3
    assert any("1 link to a folder that is read already left out" in each for each in said)


@pytest.mark.parametrize(
    ("path", "count"),
    [("n=1,limit=3", 4), ("lr=0.1,beta=0.5", 4), ("w=1.5,limit=4.npz", 64)],
)
def test_paths_that_look_like_options_are_paths(own_cache: None, path: str, count: int) -> None:
    """What is judged is what is there."""
    place = CASES / "hyd" / path
    if not place.exists():
        pytest.skip(f"{place} is not there")
    name = data_name(str(place), Registry())
    images = open_data(name, Registry())
    expected = len(list(place.iterdir())) if place.is_dir() else count
    assert len(images) == expected
    plain = f"{'npz' if place.suffix == '.npz' else 'folder'}:{place}"
    assert open_data(plain, Registry()).fingerprint() == images.fingerprint()
