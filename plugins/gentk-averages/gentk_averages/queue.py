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

from typing import Any, ClassVar

import torch
from torch import Tensor

from gentk.errors import BadOption
from gentk.interfaces import Estimator, StatisticKind, Statistics
from gentk.precision import widest
from gentk.summary import check_batch, check_statistics

__all__ = ["Queue"]


class Queue(Estimator):
    """A weighted set of the samples of recent batches; all state in buffers of fixed shape.

    Args:
        size: How many samples of earlier batches are kept.
        decay: d, in (0, 1): how much the past weighs beside a new batch; none weighs all alike.
    """

    accepts: ClassVar[frozenset[StatisticKind]] = frozenset({"samples"})
    fills: ClassVar[bool] = True

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
        self.names: tuple[str, ...] = ()
        self.full = 0

    def start(self, data: Statistics, seed: Statistics | None = None) -> None:
        """Make an empty queue for sets of samples like the data's, by whatever names."""
        check_statistics("estimator 'queue'", data)
        self.names = tuple(data)
        like = next(iter(data.values()))
        wide = widest(like.device)
        for name, rows in data.items():
            self.register_buffer(self._rows(name), rows.new_zeros(self.size, *rows.shape[1:]))
        self.register_buffer("weights", torch.zeros(self.size, dtype=wide, device=like.device))
        self.register_buffer("kept", torch.zeros((), dtype=torch.int64, device=like.device))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64, device=like.device))
        self.full = 0

    def fill(self) -> None:
        """Take all places."""
        self.get_buffer("kept").fill_(self.size)
        self.get_buffer("weights").fill_(1 / self.size)
        self.full = self.size

    def _rows(self, name: str) -> str:
        """Return what the buffer of a statistic is called; of the only one as it always was."""
        return "rows" if len(self.names) == 1 else f"rows_{name}"

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take the state, and from it how many places are taken: a step asks no device for it."""
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self.full = int(state_dict.get(f"{prefix}kept", self.full))

    def forward(self, model: Statistics, data: Statistics) -> Statistics:
        """Return each set of samples, (n + N, ...) with n kept ones first, `weights` and `past`.

        A batch is taken in afterwards; in eval mode it is weighed beside the past and forgotten. All
        sets are of the same samples: a row of each is one sample.
        """
        check_batch("estimator 'queue'", model, data, self.names, free=1)
        taken = self.full
        weights, kept = self.get_buffer("weights"), self.get_buffer("kept")
        count = len(model[self.names[0]])
        # Decided on the device, so that no step waits for it.
        if self.decay is None:
            past = kept / (kept + count).to(weights.dtype)
        else:
            past = self.decay * (kept > 0).to(weights.dtype)
        older = past * weights
        fresh = ((1 - past) / count).expand(count)
        # Places are taken from the first one on, so that those without a sample are the last.
        tracked = {
            name: torch.cat([self.get_buffer(self._rows(name))[:taken], model[name]])
            for name in self.names
        }
        tracked |= {"weights": torch.cat([older[:taken], fresh]), "past": older[:taken]}
        if self.training:
            self._keep({name: model[name].detach() for name in self.names}, older, fresh)
        return tracked

    def _keep(self, batch: Statistics, older: Tensor, fresh: Tensor) -> None:
        """Write the batch over the oldest samples and let the weights add up to one."""
        fresh = fresh[-self.size :]
        position, kept, weights = map(self.get_buffer, ("position", "kept", "weights"))
        places = (position + torch.arange(len(fresh), device=fresh.device)) % self.size
        for name, rows in batch.items():
            # Of the data's type, which may be another: landmarks are float64.
            held = self.get_buffer(self._rows(name))
            held.index_copy_(0, places, rows[-self.size :].to(held))
        weights.copy_(older.index_copy(0, places, fresh))
        weights.div_(weights.sum())
        position.add_(len(fresh)).remainder_(self.size)
        kept.add_(len(fresh)).clamp_(max=self.size)
        self.full = min(self.size, self.full + len(fresh))
