"""The error of a critic that is a classifier, on images whose classes are known."""

from __future__ import annotations

import math

import torch

from gentk.errors import DataError
from gentk.interfaces import Features, Metric, MetricValue
from gentk.summary import Samples, Summary, both, check_finite, pooled

from .terms import layer_of

__all__ = ["ClassifierError"]

OWNER = "metric 'classifier'"


class ClassifierError(Metric):
    """The share of the data's labelled images whose class the critic does not name.

    With l_1 ... l_K the critic's features of one layer, as the loss `classifier` trains them,

        error = mean_i [argmax_k l_k(x_i) != y_i].

    The figure judges the critic of the run, not samples. Images without a label, -1, do not count.

    Args:
        layer: The layer whose features are the logits; by default the critic's last one.

    Source: T. Salimans et al., Improved Techniques for Training GANs, 2016, arXiv:1606.03498, tables 1
    to 3.
    """

    needs = frozenset({"features", "labels"})
    summary = Samples
    distance = False
    extractor = "critic"

    def __init__(self, *, layer: str | None = None) -> None:
        self.layer = layer

    def summarise(self, features: Features, like: Summary | None = None) -> Samples:
        """Return the logits, averaged over positions; raise `BadOption` if there is no such layer."""
        return Samples.of({"logits": layer_of(pooled(features), self.layer, OWNER)})

    @torch.no_grad()
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Return `classifier`, and its standard error.

        Raises:
            DataError: If no image has a label, or one has a class that is no logit.
        """
        images, _ = both(Samples, reference, sample)
        labels = images.labels
        if labels is None or not bool((labels >= 0).any()):
            raise DataError(f"{OWNER} needs labelled images; type --data cifar10")
        known = labels >= 0
        logits, truth = images.rows[known.to(images.rows.device)].cpu(), labels[known].cpu()
        check_finite(OWNER, logits=logits)
        if int(truth.max()) >= logits.shape[1]:
            raise DataError(
                f"{OWNER}: an image is of class {int(truth.max())} and the critic has "
                f"{logits.shape[1]} logits; judge it on the data it was trained on, or write layer=NAME"
            )
        error = float((logits.argmax(1) != truth).double().mean())
        deviation = math.sqrt(error * (1 - error) / len(truth))
        return [MetricValue("classifier", error, deviation, "lower")]

    def fingerprint(self) -> str:
        """Return the layer."""
        return f"samples-1 layer={self.layer}"
