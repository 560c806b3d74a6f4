"""Tests of the named sources that torchvision reads, and of lsun; none touches the network."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gentk.builtin.sources.lsun import Lsun
from gentk.builtin.sources.named import (
    STL10,
    SVHN,
    CelebA,
    Cifar10,
    FashionMnist,
    Mnist,
    Named,
    data_folder,
)
from gentk.data import View, open_images
from gentk.errors import DataError

SETS: list[type[Named]] = [Cifar10, STL10, Mnist, FashionMnist, SVHN, CelebA]


@pytest.mark.parametrize("kind", SETS)
def test_missing_files_say_what_to_type(tmp_path: Path, kind: type[Named]) -> None:
    """The refusal names the set, the root, download=true, root= and the alternatives."""
    with pytest.raises(DataError) as caught:
        kind(root=tmp_path).records("train")
    for part in (
        f"{kind.name},download=true",
        str(tmp_path),
        "root=PATH",
        "parquet:",
        "folder:",
        kind.layout,
    ):
        assert part in str(caught.value)


def test_failed_download_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network error becomes a sentence with its reason."""

    def offline(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.CIFAR10", offline)
    with pytest.raises(DataError, match=r"could not be fetched to .*no route to host"):
        Cifar10(root=tmp_path, download=True).records("train")


def write_idx(path: Path, array: NDArray[Any]) -> None:
    """Write an array of bytes in MNIST's format."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


@pytest.mark.parametrize(("kind", "folder"), [(Mnist, "MNIST"), (FashionMnist, "FashionMNIST")])
def test_mnist_files_are_read(tmp_path: Path, kind: type[Named], folder: str) -> None:
    """Files in MNIST's format give their images, labels and class names, per split."""
    raw = tmp_path / folder / "raw"
    raw.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (7, 28, 28), dtype=np.uint8)
    labels = np.arange(7, dtype=np.uint8)
    for prefix, part in (("train", slice(0, 5)), ("t10k", slice(5, 7))):
        write_idx(raw / f"{prefix}-images-idx3-ubyte", images[part])
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", labels[part])
    train = open_images(kind(root=tmp_path), kind.name)
    test = open_images(kind(root=tmp_path), kind.name, View(split="test"))
    assert (train.batch(range(5))[:, 0].numpy() == images[:5]).all()
    assert (test.batch(range(2))[:, 0].numpy() == images[5:]).all()
    assert train.labels is not None
    assert train.labels.tolist() == list(range(5))
    assert len(train.classes or []) == 10


def test_damaged_pickles_are_not_opened(tmp_path: Path) -> None:
    """A CIFAR-10 file whose checksum is wrong is refused before it is unpickled."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"]:
        (folder / name).write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(DataError, match="or is damaged there"):
        Cifar10(root=tmp_path).records("train")


def test_stl10_takes_the_unlabelled_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """The train split is the unlabelled part unless another is asked for."""
    asked: list[str] = []

    def record(root: str, *, split: str, download: bool) -> list[object]:
        asked.append(split)
        return []

    monkeypatch.setattr("torchvision.datasets.STL10", record)
    STL10().records("train")
    STL10(part="train").records("train")
    STL10().records("test")
    assert asked == ["unlabeled", "train", "test"]


def test_root_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """root= comes before $GENTK_DATA, which comes before ~/.cache/gentk/data."""
    monkeypatch.setenv("GENTK_DATA", str(tmp_path))
    assert data_folder(None) == tmp_path
    assert data_folder(Path("/x")) == Path("/x")
    monkeypatch.delenv("GENTK_DATA")
    assert data_folder(None) == Path.home() / ".cache" / "gentk" / "data"


def test_lsun_missing_folder(tmp_path: Path) -> None:
    """A category that is not there is named, with where to unpack it."""
    with pytest.raises(DataError, match=r"no church_outdoor_train in .*church_outdoor_train_lmdb"):
        Lsun(root=tmp_path, classes=("church_outdoor_train",)).records("train")


def test_lsun_reads_keys_in_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    noise: Callable[..., Image.Image],
    encode: Callable[..., bytes],
) -> None:
    """Records are the entries of each folder by key; test means the _val folders (fake lmdb)."""
    stored: dict[str, dict[bytes, bytes]] = {}
    for seed, name in enumerate(["bedroom_train", "kitchen_train", "bedroom_val", "kitchen_val"]):
        folder = tmp_path / f"{name}_lmdb"
        folder.mkdir()
        (folder / "data.mdb").write_bytes(b"")
        stored[str(folder)] = {b"a": encode(noise(seed)), b"b": encode(noise(seed + 10))}

    class Transaction:
        def __init__(self, entries: dict[bytes, bytes]) -> None:
            self.get = entries.get
            self.iternext = lambda keys, values: iter(sorted(entries))

        def cursor(self) -> Transaction:
            return self

        def __enter__(self) -> Transaction:
            return self

        def __exit__(self, *error: object) -> None:
            return None

    def fake_open(path: str, **options: bool) -> SimpleNamespace:
        return SimpleNamespace(begin=lambda: Transaction(stored[path]))

    monkeypatch.setitem(sys.modules, "lmdb", SimpleNamespace(open=fake_open, Error=RuntimeError))
    source = Lsun(root=tmp_path, classes=("bedroom_train", "kitchen_train"))
    train = open_images(source, "lsun")
    assert train.histogram() == {"bedroom": 2, "kitchen": 2}
    expected = [np.asarray(noise(seed)).transpose(2, 0, 1) for seed in (0, 10, 1, 11)]
    assert (train.batch(range(4)).numpy() == np.stack(expected)).all()
    assert open_images(source, "lsun", View(split="test")).classes == train.classes
