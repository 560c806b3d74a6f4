"""Probes: how well labels can be read off frozen features by a simple classifier."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from gentk.data.permutation import permutation
from gentk.errors import BadOption, DataError
from gentk.interfaces import Features, Metric, MetricValue
from gentk.summary import Samples, Summary, both, check_finite, pooled

__all__ = ["Probe", "crelu", "standardised"]

EPS = 1e-5
"""Added to variances by the batch norm without parameters."""


LACKING = "metric 'probe' needs labelled images for training and test; type --data cifar10"

FITTED = 5
"""The key of the permutation that chooses images to fit to; others are used elsewhere."""


class Probe(Metric):
    """Accuracy, on the data's labelled images, of a classifier of features of its training images.

    The figure judges the extractor, not samples. Features are averaged over positions (AvePool). With
    `features=crelu` they are standardised by the training images' means and variances, a batch norm
    without parameters, and split by sign,

        h = (a - mean) / sqrt(var + eps),    [max(0, h), max(0, -h)],

    twice as many. Classifiers are scikit-learn's: `linear`, multinomial logistic regression; `svm`, the
    linear L2-SVM of ALI; `neighbours`, a vote of the nearest in Euclidean distance.

    Args:
        features: `avepool`, `crelu`, or `raw`: averaged features as they are, not standardised.
        classifier: What is fitted.
        k: For `neighbours`: how many vote; BiGAN has 1.
        c: Inverse strength of the L2 penalty of `linear` and `svm`.
        iterations: Most iterations of their solvers.
        by_layer: Whether there is a value for each layer instead of one for all of them together.
        limit: Most training images to fit to, a draw that is always the same; None for all.

    Raises:
        BadOption: If an option is out of range.

    Source: Donahue and Simonyan, Large Scale Adversarial Representation Learning, 2019,
    arXiv:1907.02544; 1-NN: Donahue, Krahenbuhl and Darrell, 2017, arXiv:1605.09782; SVM: Dumoulin et
    al., 2017, arXiv:1606.00704. The published classifiers' optimiser is not known; `avepool` is
    standardised here too, which a linear classifier needs for its solver only.
    """

    needs = frozenset({"features", "labels"})
    summary = Samples
    also = frozenset({"train"})
    distance = False
    extractor = "run"

    def __init__(
        self,
        *,
        features: Literal["avepool", "crelu", "raw"] = "avepool",
        classifier: Literal["linear", "svm", "neighbours"] = "linear",
        k: int = 1,
        c: float = 0.1,
        iterations: int = 300,
        by_layer: bool = False,
        limit: int | None = None,
    ) -> None:
        if not (c > 0 and math.isfinite(c)) or min(k, iterations, limit or 1) < 1:
            raise BadOption(
                f"metric 'probe': k={k}, c={c}, iterations={iterations}, limit={limit} must be above "
                "0; write k=1,c=0.1,iterations=300"
            )
        self.features = features
        self.classifier = classifier
        self.k = k
        self.c = c
        self.iterations = iterations
        self.by_layer = by_layer
        self.limit = limit

    def summarise(self, features: Features, like: Summary | None = None) -> Samples:
        """Return the features, averaged over positions."""
        return Samples.of(pooled(features))

    @torch.no_grad()
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Return `probe`, or `probe/LAYER`, and with more than ten classes `.../top5`.

        Raises:
            DataError: If images have no labels, or there is one class only.
        """
        train = also.get("train")
        if train is None:
            raise DataError(LACKING)
        fitted, test = both(Samples, train, reference)
        if test.labels is None or fitted.labels is None:
            raise DataError(LACKING)
        check_finite("metric 'probe'", reference=test.rows, train=fitted.rows)
        accuracies = []
        for name, columns in self._parts(test):
            x, y = _labelled(fitted, columns)
            if self.limit is not None:
                # Files are often sorted by class.
                chosen = torch.from_numpy(permutation(len(x), FITTED)[: self.limit].copy())
                x, y = x[chosen], y[chosen]
            test_x, test_y = _labelled(test, columns)
            if len(y.unique()) < 2 or not len(test_y):
                raise DataError(
                    "metric 'probe' needs at least two classes of images; type --data cifar10"
                )
            x, test_x = self._prepared(x, test_x)
            accuracies += self._figures(name, x, y, test_x, test_y)
        return accuracies

    def fingerprint(self) -> str:
        """Return what is summarised: features, averaged."""
        return "samples-1 pool=mean"

    def _parts(self, samples: Samples) -> list[tuple[str, slice]]:
        """Return the names of the values and the columns each looks at."""
        if not self.by_layer:
            return [("probe", slice(None))]
        start, parts = 0, []
        for name, size in samples.layout:
            parts.append((f"probe/{name}", slice(start, start + size)))
            start += size
        return parts

    def _prepared(self, train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
        """Return training and test features as the classifier sees them."""
        if self.features == "raw":
            return train, test
        train, test = standardised(train, train), standardised(test, train)
        return (crelu(train), crelu(test)) if self.features == "crelu" else (train, test)

    def _figures(
        self, name: str, x: Tensor, y: Tensor, test_x: Tensor, test_y: Tensor
    ) -> list[MetricValue]:
        """Fit the classifier and return its accuracies."""
        import numpy as np

        model = self._model()
        model.fit(x.numpy(), y.numpy())
        truth = test_y.numpy()
        accuracies = [_accuracy(name, model.predict(test_x.numpy()) == truth)]
        if len(model.classes_) > 10 and self.classifier == "linear":
            best = np.argsort(model.decision_function(test_x.numpy()), axis=1)[:, -5:]
            hits = (model.classes_[best] == truth[:, None]).any(1)
            accuracies.append(_accuracy(f"{name}/top5", hits))
        return accuracies

    def _model(self) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.svm import LinearSVC

        if self.classifier == "neighbours":
            return KNeighborsClassifier(self.k)
        if self.classifier == "svm":
            return LinearSVC(C=self.c, max_iter=self.iterations, dual=False, random_state=0)
        return _Patient(LogisticRegression(C=self.c, max_iter=self.iterations))


class _Patient:
    """A solver that may stop at its last iteration without a warning: the budget is an option."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, x: Any, y: Any) -> None:
        import warnings

        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model.fit(x, y)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def standardised(rows: Tensor, like: Tensor) -> Tensor:
    """Return batch norm without parameters of `rows` (N, D), by means and variances of `like` (M, D)."""
    return (rows - like.mean(0)) / (like.var(0, correction=0) + EPS).sqrt()


def crelu(h: Tensor) -> Tensor:
    """Return [max(0, h), max(0, -h)], (N, 2 D), of h (N, D)."""
    return torch.cat([h.relu(), (-h).relu()], dim=1)


def _labelled(samples: Samples, columns: slice) -> tuple[Tensor, Tensor]:
    """Return features and labels of the images that have one, on the CPU."""
    assert samples.labels is not None
    known = samples.labels >= 0
    return samples.rows[known.to(samples.rows.device)][:, columns].cpu(), samples.labels[
        known
    ].cpu()


def _accuracy(name: str, hits: Any) -> MetricValue:
    value = float(hits.mean())
    return MetricValue(name, value, math.sqrt(value * (1 - value) / len(hits)), "higher")
