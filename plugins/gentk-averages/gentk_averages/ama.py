"""The Adam moving average of GFMN.

The gap v between the data's and the model's statistics is a free vector that takes one Adam step a batch
on L(v), with Delta_t = data - s_t the batch's own gap:

    reduction=sum    L(v) = 1/2 |v - Delta|^2          gradient v - Delta            (the paper)
    reduction=mean   L(v) = 1/D |v - Delta|^2          gradient 2 (v - Delta) / D    (the released code)

D counts the features of all layers and extractors, separately for each statistic. The generator then
minimises v^T (data - s_t): the tracked value is data - v, and a squared distance of it has that gradient
times 2, so `scale=0.5` is the paper's.

Under Adam the two reductions differ: its epsilon makes steps shrink once the gradient's size nears 1e-8,
which `mean` reaches at |v - Delta| of about D * 5e-9 (4e-3 at D = 851,968) and `sum` never.

Source: dos Santos et al., "Learning Implicit Generative Models by Matching Perceptual Features", ICCV
2019, arXiv:1904.02762, section 4 and algorithm 1; D. P. Kingma, J. Ba, "Adam", ICLR 2015,
arXiv:1412.6980.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.optim.adam import adam

from gentk.errors import BadOption
from gentk.interfaces import Estimator, StatisticKind, Statistics
from gentk.summary import check_batch, check_statistics

from .ma import check_seeding

__all__ = ["AdamMovingAverage"]


class AdamMovingAverage(Estimator):
    """v <- v - lr * Adam(gradient of L(v)); all state in buffers.

    v itself is stored, not data - v: beside a statistic of 1e4 a step of 1e-5 would be absorbed in
    float32.

    Args:
        lr: Adam's learning rate: the most that v moves per step, in units of the statistic.
        betas: Adam's decay rates.
        eps: Adam's epsilon.
        reduction: `sum` or `mean`, see the module.
        start: v_0: `zero`, or `random`, U(-1/sqrt(D), 1/sqrt(D)) as in the released code.
        scale: Factor of the gradient; the tracked value is not scaled.
        seeding: Number of generated samples whose gap is v_0 instead; 0 for none.
    """

    owner: ClassVar[str] = "estimator 'ama'"
    # v is a free vector: data - v may leave any cone.
    accepts: ClassVar[frozenset[StatisticKind]] = frozenset({"real"})

    def __init__(
        self,
        *,
        lr: float = 1e-2,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        reduction: Literal["mean", "sum"] = "mean",
        start: Literal["zero", "random"] = "zero",
        scale: float = 1.0,
        seeding: int = 0,
    ) -> None:
        super().__init__()
        if lr <= 0:
            raise BadOption(f"{self.owner}: lr is above 0, not {lr}; write lr=1e-2")
        if not all(0 <= beta < 1 for beta in betas):
            raise BadOption(f"{self.owner}: betas are in [0, 1); write betas=0.5+0.999")
        check_seeding(self.owner, seeding)
        self.lr = lr
        self.betas = betas
        self.eps = eps
        self.reduction = reduction
        self.begin = start
        self.scale = scale
        self.seeding = seeding

    def start(self, data: Statistics, seed: Statistics | None = None) -> None:
        """Make, per statistic, the gap v and Adam's two moments of its gradient.

        Raises:
            Incompatible: The statistics are no dict of tensors.
        """
        check_statistics(self.owner, data)
        for name, value in data.items():
            if seed is not None:
                gap = value - seed[name]
            elif self.begin == "random":
                gap = (2 * torch.rand_like(value) - 1) / value.numel() ** 0.5
            else:
                gap = torch.zeros_like(value)
            self.register_buffer(f"gap_{name}", gap.detach().clone())
            self.register_buffer(f"first_{name}", torch.zeros_like(value))
            self.register_buffer(f"second_{name}", torch.zeros_like(value))
            self.register_buffer(f"steps_{name}", torch.zeros((), device=value.device))

    def forward(self, model: Statistics, data: Statistics) -> Statistics:
        """Take in one batch and return data - v."""
        check_batch(self.owner, model, data, self.following("gap_"))
        tracked = {}
        for name, batch in model.items():
            if self.training:
                self._step(name, data[name] - batch.detach())
            value = data[name] - self.get_buffer(f"gap_{name}")
            tracked[name] = self.straight_through(value, batch, self.scale)
        return tracked

    def _step(self, name: str, delta: Tensor) -> None:
        """Take one Adam step of v towards `delta`."""
        gap = self.get_buffer(f"gap_{name}")
        gradient = gap - delta
        if self.reduction == "mean":
            gradient.mul_(2 / gap.numel())
        self._adam(name, gap, gradient, self.lr)

    def _adam(self, name: str, value: Tensor, gradient: Tensor, lr: float) -> None:
        """Take one Adam step of a buffer, with the moments that belong to a statistic."""
        # torch's own Adam, as a function: the state stays in buffers, and one fused pass does it.
        adam(
            [value],
            [gradient],
            [self.get_buffer(f"first_{name}")],
            [self.get_buffer(f"second_{name}")],
            [],
            [self.get_buffer(f"steps_{name}")],
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=lr,
            weight_decay=0.0,
            eps=self.eps,
            maximize=False,
        )
