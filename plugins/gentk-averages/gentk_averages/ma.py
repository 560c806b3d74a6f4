"""The moving average of GFMN.

With s_t the batch's statistic at step t

    m_t = (1 - alpha) m_{t-1} + alpha s_t,

the tracked value is m_t and the gradient is that of `scale * s_t`. With `exclude=true` the tracked
value is m_{t-1}, of the batches before: the batch whose samples are moved has no part in what they
are compared with.

Source: dos Santos et al., "Learning Implicit Generative Models by Matching Perceptual Features", ICCV
2019, arXiv:1904.02762, section 4. There v_t = (1 - alpha) v_{t-1} + alpha (data - s_t) is kept, which is
data - m_t, and the generator minimises v^T (data - s_t): `scale=0.5` here. The released code
differentiates through m_t: `scale` equal to alpha, `start=first-batch` (and takes the mean over
features, which Adam does not see).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from gentk.errors import BadOption
from gentk.interfaces import Estimator, Statistics
from gentk.summary import check_batch, check_statistics

__all__ = ["MovingAverage", "check_seeding"]


class MovingAverage(Estimator):
    """m <- (1 - alpha) m + alpha s.

    Args:
        alpha: Weight of the new batch, 0 < alpha <= 1; 1 is the estimator `batch`.
        start: m_0: the `data`'s statistics (the gap starts at zero), or the `first-batch`'s.
        scale: Factor of the gradient; the tracked value is not scaled.
        seeding: Number of generated samples to start from instead; 0 for none.
        exclude: Return the average of the batches before this one, which is taken in afterwards.
    """

    owner: ClassVar[str] = "estimator 'ma'"

    def __init__(
        self,
        *,
        alpha: float = 0.1,
        start: Literal["data", "first-batch"] = "first-batch",
        scale: float = 1.0,
        seeding: int = 0,
        exclude: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < alpha <= 1:
            raise BadOption(f"estimator 'ma': alpha is in (0, 1], not {alpha}; write alpha=0.1")
        check_seeding(self.owner, seeding)
        self.alpha = alpha
        self.exclude = exclude
        self.begin = start
        self.scale = scale
        self.seeding = seeding
        self.waits = True

    def start(self, data: Statistics, seed: Statistics | None = None) -> None:
        """Make one buffer per statistic: m_0."""
        check_statistics(self.owner, data)
        first = data if seed is None else seed
        for name in data:
            self.register_buffer(f"mean_{name}", first[name].detach().clone())
        self.waits = self.begin == "first-batch" and seed is None
        self.register_buffer("steps", torch.tensor(0 if self.waits else 1, device=_device(data)))

    def forward(self, model: Statistics, data: Statistics) -> Statistics:
        """Take in one batch and return the averages.

        A new average is a tensor of its own, so that the old one can be handed out without a copy.
        """
        check_batch(self.owner, model, data, self.following("mean_"))
        tracked = {}
        # The first batch replaces m_0 (weight 1) when the average starts from it; decided on the
        # device, so that no step waits for it.
        first = self.get_buffer("steps") == 0 if self.waits else None
        for name, batch in model.items():
            before, own = self.get_buffer(f"mean_{name}"), batch.detach()
            weight = self.weight(before)
            if first is not None:
                weight = torch.where(first, before.new_ones(()), weight)
            after = torch.lerp(before, own, weight) if self.training else before
            setattr(self, f"mean_{name}", after)
            value = after
            if self.exclude:
                value = before if first is None else torch.where(first, own, before)
            tracked[name] = self.straight_through(value, batch, self.scale)
        if self.training:
            self.get_buffer("steps").add_(1)
        return tracked

    def weight(self, like: Tensor) -> Tensor:
        """Return the weight of a new batch, a scalar of the type and on the device of a statistic."""
        return like.new_full((), self.alpha)


def check_seeding(owner: str, seeding: int) -> None:
    """Refuse a number of samples that has no statistics."""
    if seeding < 0 or seeding == 1:
        raise BadOption(f"{owner}: seeding is 0, or 2 or more, not {seeding}; write seeding=0")


def _device(statistics: Statistics) -> torch.device:
    return next(iter(statistics.values())).device
