"""`digits`: the handwritten digits that come with scikit-learn."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.datasets import load_digits

from ...data.arrays import ArrayRecords
from ...interfaces import ImageShape, Records, Source

__all__ = ["Digits"]


class Digits(Source):
    """1,797 grey images of 8 x 8 pixels in ten classes, embedded: no file, no network.

    Values 0..16 are scaled to 0..255. Of each class, in the set's order, every fifth image (the
    5th, 10th, ...) is a test image: 1,442 train and 355 test images.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
    """

    shape = ImageShape(1, 8, 8)

    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split."""
        digits = load_digits()
        labels = np.asarray(digits.target)
        rank = np.zeros(len(labels), dtype=np.int64)
        for label in range(10):
            rank[labels == label] = np.arange((labels == label).sum())
        chosen = (rank % 5 == 4) == (split == "test")
        return ArrayRecords(
            np.asarray(digits.images)[chosen] / 16,
            labels=labels[chosen],
            classes=[str(label) for label in range(10)],
            source="digits",
        )
