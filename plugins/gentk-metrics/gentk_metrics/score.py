"""The Inception Score: whether a classifier is sure of each sample, and unsure of all together.

    IS = exp(mean_i KL(p(c | y_i) || p(c))),    p(c) = mean_i p(c | y_i),

a mean over splits of the samples in the order they were drawn; 1 at worst, the number of classes at
best. Error: std over splits / sqrt(splits); published are means +- std, which is the error times
sqrt(splits). The score of the reference images stands beside it: what the data themselves have. It
knows no data, so it sees neither copies nor what is missing inside a class (S. Barratt, R. Sharma,
arXiv:1801.01973): a legacy column.

Source: T. Salimans et al., "Improved Techniques for Training GANs", NeurIPS 2016, arXiv:1606.03498,
section 4 (10 splits of 5,000). In the logits of the TensorFlow Inception network, without bias, it is
the published one: --extractor inception,layer=logits_unbiased.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gentk.errors import BadOption, DataError, Incompatible
from gentk.interfaces import Features, Metric, MetricValue
from gentk.precision import widest
from gentk.summary import Samples, Summary, both, check_finite, check_tensors, checked

__all__ = ["InceptionScore", "inception_score"]


class InceptionScore(Metric):
    """Inception Score of logits: one layer of one vector a sample, such as `layers=classifier`.

    Args:
        splits: Parts of the samples whose scores are averaged.
    """

    needs = frozenset({"logits"})
    summary = Samples
    distance = False
    extractor = "timm:tf_efficientnet_lite1,layers=classifier,resize=64"

    def __init__(self, *, splits: int = 10) -> None:
        if splits < 1:
            raise BadOption(f"metric 'is': splits is 1 or more, not {splits}; write splits=10")
        self.splits = splits

    def summarise(self, features: Features, like: Summary | None = None) -> Samples:
        """Return the logits; raise `Incompatible` for anything that cannot be logits."""
        checked(features)
        if len(features) != 1 or next(iter(features.values())).dim() != 2:
            shapes = ", ".join(f"{name} {tuple(v.shape[1:])}" for name, v in features.items())
            raise Incompatible(
                f"metric 'is' takes a classifier's logits, one vector an image, not {shapes[:90]}; type "
                f"--extractor {self.extractor}"
            )
        return Samples.of(features)

    @torch.no_grad()
    def values(self, reference: Summary, sample: Summary, **also: Summary) -> list[MetricValue]:
        """Return `is`, and `is/reference`; raise `DataError` for fewer samples than splits."""
        real, drawn = both(Samples, reference, sample)
        if min(real.count, drawn.count) < self.splits:
            raise DataError(
                f"metric 'is' with splits={self.splits} needs as many images on each side, here "
                f"are {drawn.count} samples and {real.count} of the reference; type "
                "--metric is,splits=1"
            )
        check_finite("metric 'is'", reference=real.rows, sample=drawn.rows)
        # Data often lie sorted by class, and a split of one class scores nothing.
        order = torch.randperm(real.count, generator=torch.Generator().manual_seed(0))
        return [
            self._figure("is", drawn.rows, "higher"),
            self._figure("is/reference", real.rows[order.to(real.rows.device)], "none"),
        ]

    def _figure(self, name: str, logits: Tensor, better: Literal["higher", "none"]) -> MetricValue:
        scores = inception_score(logits, self.splits)
        error = float(scores.std() / self.splits**0.5) if self.splits > 1 else None
        return MetricValue(name, float(scores.mean()), error, better)

    def fingerprint(self) -> str:
        """Return what is summarised: features as they are."""
        return "samples-1 pool=none"


def inception_score(logits: Tensor, splits: int) -> Tensor:
    """Return the score of each split, (splits,) float64.

    Args:
        logits: (N, C).
        splits: How many parts, one after another, of as even sizes as can be.
    """
    check_tensors("inception_score", {"N": max(1, splits)}, logits=(logits, "N C"))
    count = len(logits)
    wide = widest(logits.device)
    scores = []
    for index in range(splits):
        part = logits[index * count // splits : (index + 1) * count // splits].to(wide)
        log_p = part.log_softmax(1)
        p = log_p.exp()
        marginal = p.mean(0)
        # A class that nothing belongs to counts nothing.
        log_q = torch.where(marginal > 0, marginal, 1).log()
        scores.append((p * (log_p - log_q)).sum(1).mean().exp())
    return torch.stack(scores).cpu().double()
