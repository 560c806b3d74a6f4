"""The repulsive game of MMD GANs: critic and generator play for different sums of kernel means.

With the means of a kernel over pairs of samples, real ones x_i and generated ones y_i with codes f,

    e_rr = mean_{i != j} k(f(x_i), f(x_j)),    e_gg = mean_{i != j} k(f(y_i), f(y_j)),
    e_rg = mean_{i, j} k(f(x_i), f(y_j)),

the critic minimises      w0 e_rg - e_gg - w1 e_rr,     w0 - w1 = 1
the generator minimises   e_rr - 2 e_rg + e_gg          (the unbiased MMD^2).

[w0, w1] = [0, -1] is the repulsive loss, e_rr - e_gg: the critic drives real codes apart; [2, 1]
is the attractive one, minus the generator's.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import AdversarialLoss, Play, Side

from .choice import KernelChoice
from .discrepancy import mean_across, mean_paired, mean_within
from .kernels import Bounded, Convention, Kernel

__all__ = ["RepulsiveLoss"]

RULES = 1e-6
"""How far w0 - w1 may be from 1."""


class RepulsiveLoss(AdversarialLoss):
    """Kernel means of a critic's codes; see the module for what each side minimises.

    Bounded, the critic's e_rr is of min(|f(x_i) - f(x_j)|^2, high) and its e_gg of
    max(|f(y_i) - f(y_j)|^2, low): pairs of real codes that are far enough, and of generated ones that
    are near enough, are left alone.

    Args:
        kernel: `gaussian`, `laplacian` or `rational-quadratic`.
        bandwidths: Of a Gaussian or Laplacian mixture, joined with +.
        convention: As of the loss `mmd`.
        weights: w0 and w1, joined with +, whose difference is 1.
        bounds: low and high, joined with +: 0.25+4 is published (`rmb`).
        cross: Pairs that e_rg is of: `all`, or those of different numbers in their batches
            (`off-diagonal`), as in the released code, which so leaves some out at random.
        layers: The features of the critic that are its codes, joined with +.

    Raises:
        BadOption: An option is none of what it can be.

    Source: W. Wang, Y. Sun, S. Halgamuge, "Improving MMD-GAN Training with Repulsive Loss Function",
    ICLR 2019, arXiv:1812.09916, and its released code.
    """

    means = False

    def __init__(
        self,
        *,
        kernel: Literal["gaussian", "laplacian", "rational-quadratic"] = "gaussian",
        bandwidths: tuple[float, ...] = (1.0,),
        convention: Convention = "standard",
        weights: tuple[float, ...] = (0.0, -1.0),
        bounds: tuple[float, ...] | None = None,
        cross: Literal["all", "off-diagonal"] = "all",
        layers: tuple[str, ...] = ("code",),
    ) -> None:
        owner = "loss 'repulsive'"
        if len(weights) != 2 or abs(weights[0] - weights[1] - 1) > RULES:
            raise BadOption(
                f"{owner}: weights are w0 and w1 with w0 - w1 = 1, not "
                f"{'+'.join(map(str, weights))}; write weights=0+-1"
            )
        if bounds is not None and (len(bounds) != 2 or not 0 <= bounds[0] < bounds[1]):
            raise BadOption(
                f"{owner}: bounds are a squared distance from 0 on and a larger one, not "
                f"{'+'.join(map(str, bounds))}; write bounds=0.25+4"
            )
        choice = KernelChoice(owner, kernel, bandwidths, convention)
        self.kernel = choice.kernel(choice.settle())
        self.real = self.model = self.kernel
        if bounds is not None:
            self.real = Bounded(self.kernel, high=bounds[1])
            self.model = Bounded(self.kernel, low=bounds[0])
        self.weights = weights
        self.cross = cross
        self.layers = tuple(layers)

    def critic_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `data`, -w1 e_rr, `model`, -e_gg, and `across`, w0 e_rg, where it has a weight."""
        w0, w1 = self.weights
        real, model = self._codes(play.data), self._codes(play.model)
        terms = {"model": -mean_within(model, self.model)}
        if w1:
            terms["data"] = -w1 * mean_within(real, self.real)
        if w0:
            terms["across"] = w0 * self._across(real, model, self.kernel)
        return terms

    def generator_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `data`, e_rr, `model`, e_gg, and `across`, -2 e_rg."""
        real, model = self._codes(play.data), self._codes(play.model)
        return {
            "data": mean_within(real, self.kernel),
            "model": mean_within(model, self.kernel),
            "across": -2 * self._across(real, model, self.kernel),
        }

    def _across(self, real: Tensor, model: Tensor, kernel: Kernel) -> Tensor:
        mean = mean_across(real, model, kernel)
        if self.cross == "all":
            return mean
        count = len(real)
        return (count * mean - mean_paired(real, model, kernel)) / (count - 1)

    def _codes(self, side: Side) -> Tensor:
        """Return the codes of a side, (N, D)."""
        features = side.features
        for name in self.layers:
            if name not in features:
                raise Incompatible(
                    f"loss 'repulsive': the critic has no features {name!r}; write "
                    f"layers={'+'.join(features)}, or some of them, or type --critic "
                    "sngan-cnn,outputs=16"
                )
        return torch.cat([features[name].flatten(1) for name in self.layers], dim=1)
