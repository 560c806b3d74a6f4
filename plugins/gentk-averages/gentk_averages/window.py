"""The mean of the statistics of the last K batches, this one among them.

    m_t = 1/n sum_{k < n} s_{t-k},    n = min(t, K)

whose noise is that of K batches and whose age is at most K steps, where an exponential average has a
tail.
"""

from __future__ import annotations

import torch

from gentk.errors import BadOption
from gentk.interfaces import Estimator, Statistics
from gentk.summary import check_batch, check_statistics

from .ma import check_seeding

__all__ = ["Window"]


class Window(Estimator):
    """The mean of the statistics of the last batches, which are all kept.

    Args:
        batches: K.
        seeding: Number of samples of the first generator that stand for all batches there were not
            yet; 0 for none.
        scale: Factor of the gradient; the tracked value is not scaled.
    """

    def __init__(self, *, batches: int = 16, seeding: int = 0, scale: float = 1.0) -> None:
        super().__init__()
        if batches < 1:
            raise BadOption(
                f"estimator 'window': batches is 1 or more, not {batches}; write batches=16"
            )
        check_seeding("estimator 'window'", seeding)
        self.batches = batches
        self.seeding = seeding
        self.scale = scale

    def start(self, data: Statistics, seed: Statistics | None = None) -> None:
        """Make room for K values of each statistic."""
        check_statistics("estimator 'window'", data)
        like = next(iter(data.values()))
        for name, value in data.items():
            rows = value.new_zeros(self.batches, *value.shape)
            self.register_buffer(f"rows_{name}", rows if seed is None else rows + seed[name])
        taken = 0 if seed is None else self.batches
        self.register_buffer("kept", torch.tensor(taken, device=like.device))
        self.register_buffer("position", torch.zeros(1, dtype=torch.int64, device=like.device))

    def forward(self, model: Statistics, data: Statistics) -> Statistics:
        """Take in one batch and return the means."""
        check_batch("estimator 'window'", model, data, self.following("rows_"))
        kept, position = self.get_buffer("kept"), self.get_buffer("position")
        if self.training:
            kept.add_(1).clamp_(max=self.batches)
        tracked = {}
        for name, batch in model.items():
            rows = self.get_buffer(f"rows_{name}")
            if self.training:
                rows.index_copy_(0, position, batch.detach()[None])
            # Places that no batch has taken are 0.
            tracked[name] = self.straight_through(rows.sum(0) / kept, batch, self.scale)
        if self.training:
            position.add_(1).remainder_(self.batches)
        return tracked
