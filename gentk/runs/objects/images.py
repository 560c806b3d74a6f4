"""Images of one's own: tensors, arrays and data sets of torch as data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from ...data.arrays import ArrayRecords, class_indices
from ...errors import DataError, NoSplit
from ...interfaces import Records, Source
from .identity import Own

__all__ = ["OwnImages", "unpacked"]


class OwnImages(Source):
    """Images that Python holds: the train split, and no other.

    Args:
        given: A tensor or an array, (N, H, W), (N, C, H, W) or (N, H, W, C), floating point numbers in
            [0, 1] or integers in 0..255; or a data set of torch, whose items are images, or tuples that
            begin with an image and a class index.
    """

    def __init__(self, given: Own) -> None:
        self._given = given

    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images; raise `NoSplit` for the test split."""
        name = "the images that were given"
        if split == "test":
            raise NoSplit(
                f"{name} have no test split; hold some out with gentk.own(images, validation=100)"
            )
        subject, labels = self._given.subject, self._given.labels
        known = None if labels is None else np.asarray(_plain(labels))
        if isinstance(subject, Dataset):
            return _DatasetRecords(subject, known, name)
        return ArrayRecords(np.asarray(_plain(subject)), labels=known, source=name)


def unpacked(given: Own) -> Own:
    """Return images and labels that were given as one: a tuple, or a data set of tensors."""
    subject = given.subject
    pair = subject.tensors if isinstance(subject, TensorDataset) else subject
    if isinstance(pair, tuple) and 1 <= len(pair) <= 2:
        labels = pair[1] if len(pair) == 2 and given.labels is None else given.labels
        return Own(pair[0], given.name, labels, given.options)
    return given


class _DatasetRecords:
    """A map-style data set of torch as records.

    Args:
        dataset: The data set.
        labels: What stands in place of its own classes.
        source: What it is called in messages.
    """

    def __init__(
        self, dataset: Dataset[Any], labels: NDArray[np.generic] | None, source: str
    ) -> None:
        if not isinstance(dataset, Sized) or not len(dataset):
            raise DataError(
                f"{type(dataset).__name__} has no length; give a data set with __len__ and "
                "__getitem__, or a tensor of its images"
            )
        self._dataset = dataset
        self.labels = self._labels() if labels is None else class_indices(labels, len(self), source)
        names = getattr(dataset, "classes", None)
        self.classes = list(map(str, names)) if self.labels and names else None

    def __len__(self) -> int:
        return len(cast(Sized, self._dataset))

    def decode(self, index: int) -> Image.Image:
        """Return image `index`."""
        item = self._dataset[index]
        image = item[0] if isinstance(item, tuple | list) else item
        if isinstance(image, Image.Image):
            return image
        return ArrayRecords(np.asarray(_plain(image))[None], source=f"item {index}").decode(0)

    def name(self, index: int) -> str:
        """Return `item INDEX`."""
        return f"item {index}"

    def _labels(self) -> list[int] | None:
        """Return the classes: those that the data set lists, or those of its items, one by one.

        Some list something else as their targets: several attributes an image, boxes, measurements.
        """
        targets: Sequence[object] | NDArray[Any] | Tensor | None
        targets = getattr(self._dataset, "targets", None)
        alone = (
            getattr(targets, "ndim", 1) == 0
        )  # A tensor of one number has a length, but says none.
        if isinstance(targets, Sized) and not alone and len(targets) == len(self):
            listed = _classes(targets)
            if listed is not None:
                return listed
        return _classes(_second(self._dataset[index]) for index in range(len(self)))


def _classes(values: Iterable[object]) -> list[int] | None:
    """Return class indices, or None as soon as a value is no single whole number."""
    found: list[int] = []
    for value in values:
        index = _class_index(value)
        if index is None:
            return None
        found.append(index)
    return found


def _class_index(value: object) -> int | None:
    if isinstance(value, Tensor | np.ndarray | np.generic):
        array = np.asarray(_plain(value))
        return int(array.item()) if array.size == 1 and array.dtype.kind in "biu" else None
    return int(value) if isinstance(value, int) else None


def _second(item: object) -> object:
    return item[1] if isinstance(item, tuple | list) and len(item) > 1 else None


def _plain(value: Any) -> Any:
    """Return a tensor as an array; numpy has no bfloat16."""
    if not isinstance(value, Tensor):
        return value
    kept = value.detach().cpu()
    return (kept.float() if kept.dtype == torch.bfloat16 else kept).numpy()
