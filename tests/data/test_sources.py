"""Tests of the built-in sources digits, folder and npz."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from gentk.builtin.sources.digits import Digits
from gentk.builtin.sources.folder import Folder
from gentk.builtin.sources.npz import Npz
from gentk.data import View, open_images
from gentk.errors import DataError

Noise = Callable[..., Image.Image]
TEST = View(split="test")


def test_digits_are_split_by_class() -> None:
    """The two splits hold all 1,797 digits once, with every fifth of each class for testing."""
    train, test = open_images(Digits(), "digits"), open_images(Digits(), "digits", TEST)
    digits = load_digits()
    counts = np.bincount(digits.target)
    assert (len(train), len(test)) == (1442, 355)
    assert list((test.histogram() or {}).values()) == list(counts // 5)
    both = np.concatenate([train.batch(range(1442)).numpy(), test.batch(range(355)).numpy()])
    scaled = np.rint(digits.images * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, both[:, 0])) == sorted(map(bytes, scaled))
    assert train.shape == (1, 8, 8)
    assert train.description()["values"] == [0, 255]


def save(image: Image.Image, path: Path) -> None:
    """Write an image, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def test_folder_reads_all_formats_and_modes(tmp_path: Path, noise: Noise) -> None:
    """Every suffix, in any case, in any mode and depth is read; other and hidden files are not."""
    suffixes = ["png", "jpg", "JPEG", "webp", "bmp", "gif", "tif", "tiff"]
    for number, suffix in enumerate(suffixes):
        save(noise(number), tmp_path / "deep" / f"{number}" / f"image.{suffix}")
    save(noise(1, mode="L"), tmp_path / "grey.png")
    save(noise(2).convert("RGBA"), tmp_path / "alpha.png")
    save(noise(3).convert("P"), tmp_path / "palette.png")
    save(noise(4), tmp_path / ".hidden.png")
    save(noise(4), tmp_path / ".cache" / "image.png")
    (tmp_path / "notes.txt").write_text("no image")
    opened = open_images(Folder(tmp_path), "x")
    assert len(opened) == len(suffixes) + 3
    assert opened.shape == (3, 8, 8)
    assert opened.labels is None
    assert opened.skipped == []


def test_folder_classes_and_damage(tmp_path: Path, noise: Noise) -> None:
    """Sub-folders are classes; damaged files are listed by their path below the folder."""
    for number, name in enumerate(["b/2.png", "b/1.png", "a/x/0.png", "a/9.png"]):
        save(noise(number), tmp_path / name)
    (tmp_path / "b" / "0.png").write_bytes(b"damaged")
    opened = open_images(Folder(tmp_path), "x")
    assert opened.classes == ["a", "b"]
    assert opened.labels is not None
    assert opened.labels.tolist() == [0, 0, 1, 1]
    assert opened.skipped == ["b/0.png"]
    expected = [noise(number) for number in (3, 2, 1, 0)]
    assert (
        opened.batch([0, 1, 2, 3]).numpy() == [np.asarray(i).transpose(2, 0, 1) for i in expected]
    ).all()


def test_folder_one_level_too_deep_keeps_its_classes(tmp_path: Path, noise: Noise) -> None:
    """A lone folder that holds all the classes is passed through, not taken for the only class."""
    for name in ("cat", "dog"):
        save(noise(0), tmp_path / "data" / "train" / name / "0.png")
    opened = open_images(Folder(tmp_path), "x")
    assert opened.histogram() == {"cat": 1, "dog": 1}


def test_folder_of_files_in_one_folder_has_no_labels(tmp_path: Path, noise: Noise) -> None:
    """A single folder of images is not a class."""
    save(noise(0), tmp_path / "only" / "0.png")
    assert open_images(Folder(tmp_path), "x").labels is None


@pytest.mark.parametrize("test", ["test", "val", "validation"])
def test_folder_splits(tmp_path: Path, noise: Noise, test: str) -> None:
    """`train` and `test` (or `val`, `validation`) are splits, and their folders the classes."""
    for number in range(3):
        save(noise(number), tmp_path / "train" / "ab"[number % 2] / f"{number}.png")
    save(noise(7), tmp_path / test / "a" / "7.png")
    save(noise(8), tmp_path / test / "b" / "8.png")
    source = Folder(tmp_path)
    assert open_images(source, "x").histogram() == {"a": 2, "b": 1}
    assert open_images(source, "x", TEST).histogram() == {"a": 1, "b": 1}


def test_folder_with_a_class_called_train(tmp_path: Path, noise: Noise) -> None:
    """`train` beside other folders, and no test folder, may be either: both readings can be typed."""
    for name in ("car", "plane", "train"):
        save(noise(0), tmp_path / name / "0.png")
    with pytest.raises(DataError, match="layout=classes or layout=splits"):
        open_images(Folder(tmp_path), "x")
    classes = Folder(tmp_path, layout="classes")
    assert open_images(classes, "x").classes == ["car", "plane", "train"]
    with pytest.raises(DataError, match=r"has no test split.*validation=N"):
        open_images(classes, "x", TEST)
    splits = open_images(Folder(tmp_path, layout="splits"), "x")
    assert len(splits) == 1
    assert any("car (1), plane (1)" in note for note in splits.notes())


def test_folder_refusals(tmp_path: Path) -> None:
    """A missing path, a file and an empty folder are refused in words."""
    with pytest.raises(DataError, match="does not exist"):
        Folder(tmp_path / "missing").records("train")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file, not a folder"):
        Folder(tmp_path / "file").records("train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no images"):
        Folder(tmp_path / "empty").records("train")


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 5, 3), dtype=np.uint8)
LABELS = np.arange(6) % 2


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": IMAGES, "labels": LABELS},
        {"arr_0": IMAGES, "arr_1": LABELS},
        {"x_train": IMAGES, "y_train": LABELS[:, None], "x_test": IMAGES[:1]},
        {"images": IMAGES.transpose(0, 3, 1, 2), "y": LABELS},
        {"images": (IMAGES / 255).astype(np.float32), "y": LABELS},
    ],
)
def test_npz_layouts(tmp_path: Path, arrays: dict[str, Any]) -> None:
    """The usual names, layouts and types of arrays all give the same images and labels."""
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    opened = open_images(Npz(tmp_path / "a.npz"), "x")
    assert (opened.batch(range(6)).numpy() == IMAGES.transpose(0, 3, 1, 2)).all()
    assert opened.labels is not None
    assert opened.labels.tolist() == list(LABELS)


def test_npz_splits(tmp_path: Path) -> None:
    """The test split is x_test, or the sibling file, or a file that is called test."""
    np.savez(tmp_path / "keras.npz", x_train=IMAGES, x_test=IMAGES[:2], y_test=LABELS[:2])
    np.savez(tmp_path / "my-train.npz", images=IMAGES)
    np.savez(tmp_path / "my-test.npz", images=IMAGES[:3])
    assert len(open_images(Npz(tmp_path / "keras.npz"), "x", TEST)) == 2
    assert len(open_images(Npz(tmp_path / "my-train.npz"), "x")) == 6
    assert len(open_images(Npz(tmp_path / "my-train.npz"), "x", TEST)) == 3
    assert len(open_images(Npz(tmp_path / "my-test.npz"), "x", TEST)) == 3
    assert len(open_images(Npz(tmp_path / "my-test.npz"), "x")) == 3
    (tmp_path / "my-test.npz").unlink()
    with pytest.raises(DataError, match="has no test split"):
        open_images(Npz(tmp_path / "my-train.npz"), "x", TEST)


def test_npz_arrays_by_name(tmp_path: Path) -> None:
    """Arrays of any name are found when they are named, and refused when they are not there."""
    np.savez(tmp_path / "a.npz", faces=IMAGES, ages=LABELS)
    opened = open_images(Npz(tmp_path / "a.npz", images_array="faces", labels_array="ages"), "x")
    assert opened.histogram() == {"0": 3, "1": 3}
    with pytest.raises(DataError, match="images_array=NAME"):
        Npz(tmp_path / "a.npz").records("train")
    with pytest.raises(DataError, match="nothing"):
        Npz(tmp_path / "a.npz", images_array="faces", labels_array="nothing").records("train")


def test_npz_refusals(tmp_path: Path) -> None:
    """Pickled objects are never loaded; damaged and missing files are refused in words."""
    np.savez(tmp_path / "object.npz", images=np.array([IMAGES[0], None], dtype=object))
    with pytest.raises(DataError, match="never unpickled"):
        Npz(tmp_path / "object.npz").records("train")
    whole = (tmp_path / "object.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read"):
        Npz(tmp_path / "cut.npz").records("train")
    np.save(tmp_path / "single.npy", IMAGES)
    with pytest.raises(DataError, match="single array"):
        Npz(tmp_path / "single.npy").records("train")
    with pytest.raises(DataError, match="does not exist"):
        Npz(tmp_path / "missing.npz").records("train")


def test_arrays_that_only_look_like_labels_are_left_alone(tmp_path) -> None:
    """An npz with float features beside the images has no labels; naming them is still refused."""
    images = np.zeros((4, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.zeros((4, 3), dtype=np.float32))

    assert Npz(tmp_path / "a.npz").records("train").labels is None
    with pytest.raises(DataError, match="labels"):
        Npz(tmp_path / "a.npz", labels_array="labels").records("train")
