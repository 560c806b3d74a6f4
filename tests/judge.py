"""A judge of generated digits: a classifier of real ones, and what it takes to pass.

Every class must be there, the classifier must be sure of what it sees, and the images of a class must
differ from one another about as much as real ones do: without that, ten class means would pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gentk.data import to_unit
from gentk.registry import Registry
from gentk.runs.images import open_data

__all__ = ["DigitJudge", "Verdict", "digits"]


def digits(split: str) -> tuple[Tensor, np.ndarray]:
    """Real digits at 32 x 32 in [0, 1], and their labels."""
    images = open_data(f"digits,size=32,split={split}", Registry())
    assert images.labels is not None
    return to_unit(images.batch(range(len(images)))), images.labels.numpy()


@dataclass(frozen=True)
class Verdict:
    """What the judge found.

    Attributes:
        share: The smallest class's share of the images.
        sure: The mean of the largest class probability.
        spread: Variance within classes, relative to that of real digits.
    """

    share: float
    sure: float
    spread: float

    @property
    def passed(self) -> bool:
        """Every class at least 3 %, sure at least 0.7, at least half the spread of real digits."""
        return self.share >= 0.03 and self.sure >= 0.7 and self.spread >= 0.5


class DigitJudge:
    """A calibrated support vector machine on 8 x 8 pixels, trained on real digits."""

    def __init__(self) -> None:
        images, labels = digits("train")
        machine = SVC(C=10, gamma=0.001, random_state=0)
        self.classifier = CalibratedClassifierCV(machine, ensemble=False)
        self.classifier.fit(self._rows(images), labels)
        self.real = self._within(self._rows(images), labels)

    def accuracy(self) -> float:
        """Accuracy on held-out real digits."""
        images, labels = digits("test")
        return float(self.classifier.score(self._rows(images), labels))

    def __call__(self, images: Tensor) -> Verdict:
        """Judge images, (N, 1, 32, 32) in [0, 1]."""
        rows = self._rows(images)
        probabilities = self.classifier.predict_proba(rows)
        labels = probabilities.argmax(1)
        share = np.bincount(labels, minlength=10) / len(labels)
        spread = self._within(rows, labels) / self.real
        return Verdict(float(share.min()), float(probabilities.max(1).mean()), spread)

    def labels(self, images: Tensor) -> np.ndarray:
        """The class that each image looks most like."""
        found: np.ndarray = self.classifier.predict(self._rows(images))
        return found

    @staticmethod
    def _rows(images: Tensor) -> np.ndarray:
        """8 x 8 pixels in the scale of the original set, 0 to 16."""
        rows: np.ndarray = avg_pool2d(images, 4).flatten(1).numpy() * 16
        return rows

    @staticmethod
    def _within(rows: np.ndarray, labels: np.ndarray) -> float:
        """Total variance within classes."""
        parts = [rows[labels == k] - rows[labels == k].mean(0) for k in np.unique(labels)]
        return float(np.concatenate(parts).var(0).sum())
