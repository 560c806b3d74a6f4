"""An exponential moving average whose decay follows a schedule.

With s_t the batch's statistic and the decay d_t

    m_t = d_t m_{t-1} + (1 - d_t) s_t,    m_0 of samples of the first generator.

Where two decays are given, 1 - d goes geometrically from the first to the second between two steps: an
average of few batches follows a generator that moves fast, one of many is less noisy once it is slow.

Source: FD-loss, arXiv:2604.28190 (decay 0.999, 50,000 samples to start from, the batch taken in first,
gradient times 1 - d: `scale`); MGFlow, arXiv:2609.35763 (0.995 to 0.999, `exclude=true`).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from gentk.errors import BadOption, Incompatible

from .ma import MovingAverage, check_seeding

__all__ = ["ExponentialAverage"]


class ExponentialAverage(MovingAverage):
    """m <- d m + (1 - d) s, with a schedule of d, seeded from the first generator.

    Args:
        decay: d, 0 <= d < 1; with a second one, joined with +, d goes from the first to it.
        between: Between which two steps it does so, joined with +.
        exclude: Return the average of the batches before this one, which is taken in afterwards.
        seeding: Number of samples of the first generator to start from; 0 starts from the first batch.
        scale: Factor of the gradient; the tracked value is not scaled.
    """

    owner: ClassVar[str] = "estimator 'ema'"

    def __init__(
        self,
        *,
        decay: tuple[float, ...] = (0.999,),
        between: tuple[int, ...] = (),
        exclude: bool = False,
        seeding: int = 4096,
        scale: float = 1.0,
    ) -> None:
        super().__init__(scale=scale, exclude=exclude)
        check_seeding(self.owner, seeding)
        if len(decay) not in (1, 2) or not all(0 <= value < 1 for value in decay):
            raise BadOption(
                f"estimator 'ema': decay is one number in [0, 1), or two, not "
                f"{'+'.join(map(str, decay))!r}; write decay=0.999"
            )
        if len(between) != 2 * (len(decay) - 1):
            raise Incompatible(
                "estimator 'ema': two decays go with two steps between which one becomes the other; "
                "write decay=0.995+0.999,between=1000+4000"
            )
        if between and not 0 <= between[0] < between[1]:
            raise BadOption(
                "estimator 'ema': between is two steps, the earlier one first; write "
                "between=1000+4000"
            )
        self.rates = tuple(1 - value for value in decay)
        self.between = between
        self.seeding = seeding

    def weight(self, like: Tensor) -> Tensor:
        """Return 1 - d of this step."""
        first, last = self.rates[0], self.rates[-1]
        if not self.between:
            return like.new_full((), first)
        begin, end = self.between
        share = ((self.get_buffer("steps").to(like) - begin) / (end - begin)).clamp(0, 1)
        return torch.as_tensor(first * (last / first) ** share)
