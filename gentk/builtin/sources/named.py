"""Named data sets, read with torchvision: CIFAR-10, STL-10, MNIST, Fashion-MNIST, SVHN, CelebA."""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Literal

from PIL import Image
from torchvision import datasets

from ...errors import DataError
from ...interfaces import ImageShape, Records, Source

__all__ = ["STL10", "SVHN", "CelebA", "Cifar10", "FashionMnist", "Mnist", "data_folder"]


def data_folder(root: Path | None) -> Path:
    """Return where data sets are kept: `root`, else $GENTK_DATA, else ~/.cache/gentk/data."""
    return (root or Path(os.environ.get("GENTK_DATA") or "~/.cache/gentk/data")).expanduser()


class Named(Source):
    """A data set that torchvision knows how to fetch and read.

    Only the files of CIFAR-10 are pickles; torchvision reads them only if they have the MD5
    sums of the original ones.

    Args:
        root: The folder that holds torchvision's files; None for $GENTK_DATA or
            ~/.cache/gentk/data.
        download: Fetch the files if they are missing.

    Attributes:
        name: What the set is called.
        layout: The files that are read, below `root`.
    """

    name: ClassVar[str]
    layout: ClassVar[str]

    def __init__(self, *, root: Path | None = None, download: bool = False) -> None:
        self._root = data_folder(root)
        self._download = download

    @abstractmethod
    def _open(self, split: Literal["train", "test"]) -> Any:
        """Return torchvision's data set of one split."""

    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split.

        Raises:
            DataError: When the files are missing or damaged, or cannot be fetched.
        """
        try:
            return _Items(self._open(split))
        except (RuntimeError, OSError, ValueError, EOFError, ImportError) as error:
            raise DataError(self._refusal(error)) from error

    def _refusal(self, error: Exception) -> str:
        """Return the sentence for a set that could not be opened."""
        if isinstance(error, ImportError):
            return f"{self.name} needs the package {error.name}: pip install {error.name}"
        instead = f"use a copy you have, parquet:PATH or folder:PATH, instead of {self.name}"
        if self._download:
            return (
                f"{self.name} could not be fetched to {self._root} ({error}): try again later, or "
                f"{instead}"
            )
        return (
            f"{self.name} is not in {self._root}, or is damaged there (expected is {self.layout}): "
            f"fetch it with "
            f"{self.name},download=true, say where it is with {self.name},root=PATH, or {instead}"
        )


class _Items:
    """The items of a torchvision data set."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        labels = getattr(dataset, "targets", getattr(dataset, "labels", None))
        self.labels: list[int] | None = None if labels is None else [int(x) for x in labels]
        self.classes: list[str] | None = getattr(dataset, "classes", None)

    def __len__(self) -> int:
        return len(self._dataset)

    def decode(self, index: int) -> Image.Image:
        image: Image.Image = self._dataset[index][0]
        image.load()
        return image

    def name(self, index: int) -> str:
        return f"number {index}"


class Cifar10(Named):
    """CIFAR-10: 50,000 + 10,000 images, 3 x 32 x 32, ten classes.

    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """

    name = "cifar10"
    layout = "cifar-10-batches-py/data_batch_1 to data_batch_5, test_batch and batches.meta"
    shape = ImageShape(3, 32, 32)

    def _open(self, split: Literal["train", "test"]) -> Any:
        return datasets.CIFAR10(str(self._root), train=split == "train", download=self._download)


class Mnist(Named):
    """MNIST: 60,000 + 10,000 handwritten digits, 1 x 28 x 28.

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document
    Recognition, 1998.
    """

    name = "mnist"
    layout = (
        "MNIST/raw/train-images-idx3-ubyte, train-labels-idx1-ubyte, "
        "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte"
    )
    shape = ImageShape(1, 28, 28)

    def _open(self, split: Literal["train", "test"]) -> Any:
        return datasets.MNIST(str(self._root), train=split == "train", download=self._download)


class FashionMnist(Named):
    """Fashion-MNIST: 60,000 + 10,000 pieces of clothing, 1 x 28 x 28, ten classes.

    Source: Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747.
    """

    name = "fashion-mnist"
    layout = (
        "FashionMNIST/raw/train-images-idx3-ubyte, train-labels-idx1-ubyte, "
        "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte"
    )
    shape = ImageShape(1, 28, 28)

    def _open(self, split: Literal["train", "test"]) -> Any:
        return datasets.FashionMNIST(
            str(self._root), train=split == "train", download=self._download
        )


class SVHN(Named):
    """Street View House Numbers, cropped: 73,257 + 26,032 digits, 3 x 32 x 32.

    Source: Netzer, Wang, Coates, Bissacco, Wu and Ng, 2011.
    """

    name = "svhn"
    layout = "train_32x32.mat and test_32x32.mat"
    shape = ImageShape(3, 32, 32)

    def _open(self, split: Literal["train", "test"]) -> Any:
        return datasets.SVHN(str(self._root), split=split, download=self._download)


class STL10(Named):
    """STL-10: 3 x 96 x 96 images; by default the 100,000 unlabelled ones are the train split.

    GFMN trains on these at 32 x 32 (`size=32`); most other papers' figures are at 48 x 48.

    Source: Coates, Lee and Ng, An Analysis of Single-Layer Networks in Unsupervised Feature
    Learning, 2011.

    Args:
        root: As for every named set.
        download: As for every named set.
        part: The train split: `unlabeled`, 100,000 images; `train`, 5,000 in ten classes;
            `train+unlabeled`, both.
    """

    name = "stl10"
    layout = (
        "stl10_binary/unlabeled_X.bin, train_X.bin, train_y.bin, test_X.bin, test_y.bin "
        "and class_names.txt"
    )
    shape = ImageShape(3, 96, 96)

    def __init__(
        self,
        *,
        root: Path | None = None,
        download: bool = False,
        part: Literal["unlabeled", "train", "train+unlabeled"] = "unlabeled",
    ) -> None:
        super().__init__(root=root, download=download)
        self._part = part

    def _open(self, split: Literal["train", "test"]) -> Any:
        part = self._part if split == "train" else split
        return datasets.STL10(str(self._root), split=part, download=self._download)


class CelebA(Named):
    """CelebA, aligned: 162,770 + 19,962 faces, 178 x 218; `crop=160,size=64` is GFMN's view.

    Source: Liu, Luo, Wang and Tang, Deep Learning Face Attributes in the Wild, 2015,
    arXiv:1411.7766.
    """

    name = "celeba"
    layout = (
        "celeba/img_align_celeba/000001.jpg and so on, list_eval_partition.txt, "
        "identity_CelebA.txt, list_attr_celeba.txt, list_bbox_celeba.txt and "
        "list_landmarks_align_celeba.txt"
    )

    def _open(self, split: Literal["train", "test"]) -> Any:
        root, download = str(self._root), self._download
        return datasets.CelebA(root, split=split, target_type=[], download=download)
