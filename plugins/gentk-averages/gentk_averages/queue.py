"""The queue: recent batches of samples, kept as one weighted set.

A batch of N samples is put beside the `size` samples kept of earlier ones; past samples are constants,
the batch's own carry the gradient. With c samples kept, weights are uniform,

    w = 1 / (c + N)  for all,

or, with a decay d, those of an exponential average of the batches,

    w <- d w  for what is kept,    w = (1 - d) / N  for each sample of the batch (1 / N of the first),

which in an explicit kernel is `ma,alpha=1-d,start=first-batch,scale=alpha` from the second batch on, as
long as nothing is dropped. When the queue is full the oldest are, and what is left adds up to one again.

Source: K. He, H. Fan, Y. Wu, S. Xie, R. Girshick, "Momentum Contrast for Unsupervised Visual
Representation Learning", CVPR 2020, arXiv:1911.05722, section 3.2, for the queue; weights are gentk's.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from gentk.errors import BadOption
from gentk.interfaces import Estimator, StatisticKind, Statistics
from gentk.precision import widest

__all__ = ["Queue"]


class Queue(Estimator):
    """A weighted set of the samples of recent batches; all state in buffers of fixed shape.

    Args:
        size: How many samples of earlier batches are kept.
        decay: d, in (0, 1): how much the past weighs beside a new batch; none weighs all alike.
    """

    accepts: ClassVar[frozenset[StatisticKind]] = frozenset({"samples"})

    def __init__(self, *, size: int = 4096, decay: float | None = None) -> None:
        super().__init__()
        if size < 1:
            raise BadOption(f"estimator 'queue': size is 1 or more, not {size}; write size=4096")
        if decay is not None and not 0 < decay < 1:
            raise BadOption(
                f"estimator 'queue': decay is in (0, 1), or none, not {decay}; write decay=0.9"
            )
        self.size = size
        self.decay = decay

    def start(self, data: Statistics, seed: Statistics | None = None) -> None:
        """Make an empty queue for samples like the data's."""
        like = data["samples"]
        wide = widest(like.device)
        self.register_buffer("rows", like.new_zeros(self.size, like.shape[1]))
        self.register_buffer("weights", like.new_zeros(self.size, dtype=wide))
        self.register_buffer("kept", torch.zeros((), dtype=torch.int64, device=like.device))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64, device=like.device))

    def forward(self, model: Statistics, data: Statistics) -> Statistics:
        """Return `samples` (size + N, D), free places first with weight 0, `weights` and `past`.

        A batch is taken in afterwards; in eval mode it is weighed beside the past and forgotten.
        """
        batch = model["samples"]
        rows, weights, kept = map(self.get_buffer, ("rows", "weights", "kept"))
        count = len(batch)
        # Decided on the device, so that no step waits for it.
        if self.decay is None:
            past = kept / (kept + count).to(weights.dtype)
        else:
            past = self.decay * (kept > 0).to(weights.dtype)
        older = past * weights
        fresh = ((1 - past) / count).expand(count)
        tracked = {
            "samples": torch.cat([rows, batch]),
            "weights": torch.cat([older, fresh]),
            "past": older,
        }
        if self.training:
            self._keep(batch.detach(), older, fresh)
        return tracked

    def _keep(self, batch: Tensor, older: Tensor, fresh: Tensor) -> None:
        """Write the batch over the oldest samples and let the weights add up to one."""
        batch, fresh = batch[-self.size :], fresh[-self.size :]
        position, kept, weights = map(self.get_buffer, ("position", "kept", "weights"))
        places = (position + torch.arange(len(batch), device=batch.device)) % self.size
        self.get_buffer("rows").index_copy_(0, places, batch)
        weights.copy_(older.index_copy(0, places, fresh))
        weights.div_(weights.sum())
        position.add_(len(batch)).remainder_(self.size)
        kept.add_(len(batch)).clamp_(max=self.size)
