"""Fingerprints of well-made data are pinned: runs, caches and rows of results rest on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gentk.registry import Registry
from gentk.runs.images import open_data

DATA = Path(__file__).parents[3] / "shared" / "data"

PINNED = {
    "digits": "7c9dddc299c55cfba800950068954210",
    "digits,split=test": "9928cc030acfe641424b62e43cf3b542",
    "digits,validation=100,size=16": "9dfd02883b783fe2d84f2ad47329e5d8",
    "folder:{}/d": "0c9d2581a48ba7cedfcb0fb47c197ab6",
    "folder:{}/d,split=test": "54e0c6d5508535f678f4268e7add60d1",
    "folder:{}/d/train/a,channels=1": "ff63d58ea27eb849aed33b5256a84f4e",
    "npz:{}/a.npz": "0cb2cee557bc8d4741d0414009758781",
    "npz:{}/k.npz,split=test": "30a58f435a5aff691baf7a69b125806a",
}
"""Taken with the version before data were accounted for."""

REAL = {
    "cifar10-test.parquet": "94de041132e5a6bd2d18d2262b990956",
    "mnist-test.parquet": "48f90014cd20a4082da67dfa97e2bb7b",
    "scenes-train.parquet": "6bda7e0fd952965eae71236ae507a8c9",
}


def write(root: Path) -> None:
    """Write noise as a folder with splits and as arrays."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    for number, values in enumerate(pixels):
        split, name = ("train", "test")[number % 5 == 4], "abc"[number % 3]
        path = root / "d" / split / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
    labels = np.arange(20) % 3
    np.savez(root / "a.npz", images=pixels, labels=labels)
    np.savez(root / "k.npz", x_train=pixels, y_train=labels, x_test=pixels[:5], y_test=labels[:5])


@pytest.mark.parametrize("name", PINNED)
def test_small_data_keep_their_fingerprints(tmp_path: Path, own_cache: None, name: str) -> None:
    """Folders of PNG files without EXIF or profile, arrays, digits."""
    write(tmp_path)
    assert open_data(name.format(tmp_path), Registry()).fingerprint() == PINNED[name]


@pytest.mark.parametrize("name", REAL)
def test_real_data_keep_their_fingerprints(own_cache: None, name: str) -> None:
    """CIFAR-10, MNIST and the photographs, as parquet."""
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    assert open_data(f"parquet:{path}", Registry()).fingerprint() == REAL[name]
