"""Tests of the source parquet, on files made here and on the real ones where they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from gentk.builtin.sources.parquet import Parquet
from gentk.data import View, open_images
from gentk.errors import DataError

Noise = Callable[..., Image.Image]
Encode = Callable[..., bytes]

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
TEST = View(split="test")
HF_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write(
    path: Path,
    images: Sequence[bytes | None],
    labels: list[Any] | None = None,
    *,
    names: tuple[str, str] = ("image", "label"),
    classes: list[str] | None = None,
    kind: pa.DataType = HF_IMAGE,
) -> None:
    """Write images as the Hugging Face library does, in row groups of two."""
    rows = [{"bytes": b, "path": None} for b in images] if kind == HF_IMAGE else images
    columns = {names[0]: pa.array(rows, kind)}
    features: dict[str, Any] = {names[0]: {"_type": "Image"}}
    if labels is not None:
        columns[names[1]] = pa.array(labels)
        features[names[1]] = {"_type": "ClassLabel", "names": classes}
    table = pa.table(columns)
    if classes:
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, path, compression="brotli", row_group_size=2)


def test_columns_are_found_by_the_metadata(tmp_path: Path, noise: Noise, encode: Encode) -> None:
    """Image and ClassLabel columns of any name are read, with the names of the classes."""
    images = [noise(seed) for seed in range(5)]
    path = tmp_path / "a.parquet"
    names = ("picture", "kind")
    write(path, [encode(i) for i in images], [0, 1, 1, 0, 1], names=names, classes=["no", "yes"])
    opened = open_images(Parquet(path), "x")
    expected = np.stack([np.asarray(image).transpose(2, 0, 1) for image in images])
    assert (opened.batch(range(5)).numpy() == expected).all()
    assert opened.histogram() == {"no": 2, "yes": 3}


def test_columns_without_metadata(tmp_path: Path, noise: Noise, encode: Encode) -> None:
    """Binary images and class names as text need no metadata, and any column can be named."""
    images = [encode(noise(seed)) for seed in range(3)]
    write(tmp_path / "a.parquet", images, ["b", "a", None], kind=pa.binary())
    opened = open_images(Parquet(tmp_path / "a.parquet"), "x")
    assert opened.classes == ["a", "b"]
    assert opened.labels is not None
    assert opened.labels.tolist() == [1, 0, -1]
    write(tmp_path / "b.parquet", images, [3, 0, 0], names=("x", "y"))
    named = open_images(Parquet(tmp_path / "b.parquet", image="x", label="y"), "x")
    assert named.histogram() == {"0": 2, "1": 0, "2": 0, "3": 1}
    assert open_images(Parquet(tmp_path / "b.parquet"), "x").labels is None


def test_damaged_and_missing_bytes_are_skipped(
    tmp_path: Path, noise: Noise, encode: Encode
) -> None:
    """Rows without bytes or with damaged ones are listed by file and row."""
    images = [encode(noise(0)), None, b"damaged", encode(noise(3))]
    write(tmp_path / "a.parquet", images, [0, 1, 2, 3])
    opened = open_images(Parquet(tmp_path / "a.parquet"), "x")
    assert opened.skipped == ["a.parquet row 1", "a.parquet row 2"]
    assert opened.labels is not None
    assert opened.labels.tolist() == [0, 3]


@pytest.mark.parametrize("below", ["", "data"])
def test_folders_of_shards(tmp_path: Path, noise: Noise, encode: Encode, below: str) -> None:
    """The shards of a folder are read one after the other, and rows named by their shard."""
    folder = tmp_path / below
    folder.mkdir(exist_ok=True)
    images = [encode(noise(seed)) for seed in range(6)]
    write(folder / "train-00000-of-00002.parquet", images[:3])
    write(folder / "train-00001-of-00002.parquet", [*images[3:5], b""])
    write(folder / "test-00000-of-00001.parquet", images[5:])
    source = Parquet(tmp_path)
    train = open_images(source, "x")
    assert len(train) == 5
    assert train.skipped == ["train-00001-of-00002.parquet row 2"]
    assert (train.batch([4])[0].numpy() == np.asarray(noise(4)).transpose(2, 0, 1)).all()
    assert len(open_images(source, "x", TEST)) == 1


def test_which_file_is_which_split(tmp_path: Path, noise: Noise, encode: Encode) -> None:
    """A named file is its train split; the test split is the sibling, or a file called test."""
    images = [encode(noise(seed)) for seed in range(3)]
    write(tmp_path / "a-train.parquet", images[:2])
    write(tmp_path / "a-test.parquet", images[2:])
    write(tmp_path / "other.parquet", images)

    def count(name: str, view: View | None = None) -> int:
        return len(open_images(Parquet(tmp_path / name), name, view))

    assert (count("a-train.parquet"), count("a-train.parquet", TEST)) == (2, 1)
    assert (count("a-test.parquet"), count("a-test.parquet", TEST)) == (1, 1)
    assert count("other.parquet") == 3
    with pytest.raises(DataError, match="no test split: name the file"):
        count("other.parquet", TEST)


def test_refusals(tmp_path: Path) -> None:
    """Missing, damaged and unsuitable files and folders are refused in words."""
    with pytest.raises(DataError, match="does not exist"):
        Parquet(tmp_path / "missing.parquet").records("train")
    with pytest.raises(DataError, match=r"folder without train"):
        Parquet(tmp_path).records("train")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="damaged, or is not a parquet file"):
        Parquet(tmp_path / "bad.parquet").records("train")
    pq.write_table(pa.table({"text": ["a"], "n": [1.5]}), tmp_path / "text.parquet")
    with pytest.raises(DataError, match="no column of encoded images; it has text, n"):
        Parquet(tmp_path / "text.parquet").records("train")
    with pytest.raises(DataError, match="no column mask; it has text, n"):
        Parquet(tmp_path / "text.parquet", image="mask").records("train")


REAL = [
    ("cifar10-train", 50000, 5000, 5000, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    ("cifar10-test", 10000, 1000, 1000, (0.4942, 0.4851, 0.4504), (0.2467, 0.2429, 0.2616)),
    ("mnist-train", 60000, 5421, 6742, (0.1307,), (0.3081,)),
    ("mnist-test", 10000, 892, 1135, (0.1325,), (0.3105,)),
    ("scenes-train", 800, 133, 134, (0.4312, 0.4547, 0.4524), (0.2566, 0.2579, 0.2883)),
]


@pytest.mark.parametrize(("name", "count", "least", "most", "mean", "std"), REAL)
def test_real_data(
    name: str, count: int, least: int, most: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    """Counts, classes, and mean and spread of every channel over all images are the known ones."""
    path = DATA / f"{name}.parquet"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    images = open_images(Parquet(path), name)
    assert (len(images), images.skipped) == (count, [])
    per_class = (images.histogram() or {}).values()
    assert (min(per_class), max(per_class)) == (least, most)
    channels = images.batch(range(count)).transpose(0, 1).flatten(1)
    share = torch.stack([torch.bincount(c, minlength=256) for c in channels]).double()
    share /= share.sum(1, keepdim=True)
    values = torch.arange(256).double() / 255
    got = share @ values
    spread = (share @ values**2 - got**2).sqrt()
    torch.testing.assert_close(got, torch.tensor(mean).double(), atol=6e-5, rtol=0)
    torch.testing.assert_close(spread, torch.tensor(std).double(), atol=6e-5, rtol=0)


def test_shards_are_read_in_the_order_of_their_numbers(
    tmp_path: Path, noise: Noise, encode: Encode
) -> None:
    """Shard 2 comes before shard 10, also where numbers are not padded."""
    for shard in range(12):
        write(tmp_path / f"train-{shard}-of-12.parquet", [encode(noise(shard))], [shard])
    images = open_images(Parquet(tmp_path), "x")
    assert images.labels is not None
    assert images.labels.tolist() == list(range(12))


def test_unordered_categories_are_names_in_their_order(
    tmp_path: Path, noise: Noise, encode: Encode
) -> None:
    """Classes that are given by name are numbered by name, over all splits, whatever the dictionary."""
    images = [encode(noise(seed)) for seed in range(3)]
    kinds = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array(["c", "a", "b"]))
    for split, labels in (("train", kinds), ("test", pa.array(["d", "a", None]))):
        table = pa.table({"image": pa.array(images, pa.binary()), "label": labels})
        pq.write_table(table, tmp_path / f"{split}.parquet")
    source = Parquet(tmp_path)
    train, test = open_images(source, "x"), open_images(source, "x", TEST)
    assert train.classes == test.classes == ["a", "b", "c", "d"]
    assert train.labels is not None and test.labels is not None
    assert (train.labels.tolist(), test.labels.tolist()) == ([2, 0, 1], [3, 0, -1])
    assert any("1 class not among the train images: d" in note for note in train.notes())
