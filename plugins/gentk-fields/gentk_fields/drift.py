"""Drifting: towards near data, away from near samples, with affinities that are normalised both ways.

With the scaled distances d of `gentk_fields.pairs`, 100 more of a sample from itself, and a
temperature R,

    A_ij = max(sqrt(softmax_j(-d_ij / R) softmax_i(-d_ij / R)), 1e-3) w_j
    c_ij = A_ij sum_{k negative} A_ik         for the data,
    c_ij = -A_ij sum_{k of the data} A_ik     for negatives.

so that attraction and repulsion of each sample have the same weight: if data and samples are the same
set, and samples push themselves, c cancels. The floor of 1e-3 keeps far samples in play.

Distances are over their mean, which grows as the root of S, so temperatures have no dimension. A port
that divides by R S, or by R where distances are those of standardised features, is off by the root of
S: too hot, or too cold.

Class by class only samples of one class meet, under one scale for all. What the released code keeps
in banks is here a minibatch of the data (`reference=`), drawn from the features of all of them, and the
estimator `queue` for samples of earlier steps.

Source: M. Deng, H. Li, T. Li, Y. Du, K. He, "Generative Modeling via Drifting", 2026,
arXiv:2602.04770, and its released code; guidance is there drawn at random from 1 to 4, here it is one
number.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from gentk.errors import BadOption, Incompatible

from .pairs import TEMPERATURES, PairLoss, Pairs

__all__ = ["Drift"]

FLOOR = 1e-3
"""The least affinity."""


class Drift(PairLoss):
    """Draws each sample towards near data and away from near samples.

    Args:
        temperatures: R, joined with +; each has a force of root mean square 1.
        per_class: Only samples of one class meet: for conditional generators and data with labels.
        guidance: With per-class=true, above 1: data of any class push too, so that samples are more
            like their class than the data are.
        eta: How far along the field a target lies.
        layers: `each` adds up the losses of layers; `joint` takes all layers as one vector.
        pool: `mean` averages features over positions; `none` takes every position as features of its
            own.
    """

    def __init__(
        self,
        *,
        temperatures: tuple[float, ...] = TEMPERATURES,
        per_class: bool = False,
        guidance: float = 1.0,
        eta: float = 1.0,
        layers: Literal["each", "joint"] = "each",
        pool: Literal["mean", "none"] = "mean",
    ) -> None:
        self.settle("loss 'drift'", temperatures, eta, layers, pool)
        if not 1 <= guidance < float("inf"):
            raise BadOption(
                f"loss 'drift': guidance is 1 or more, not {guidance}; write guidance=1"
            )
        if guidance > 1 and not per_class:
            raise Incompatible(
                "loss 'drift': guidance is towards a class; write per-class=true, or leave it out"
            )
        if per_class:
            self.needs = frozenset({"labels"})
        self.per_class = per_class
        self.guidance = guidance

    def coefficients(self, pairs: Pairs, temperature: float) -> Tensor:
        """Return c, see the module."""
        logits = pairs.distances * (-1 / temperature)
        # A product that underflows is below the floor.
        affinity = logits.softmax(-1).mul_(logits.softmax(-2)).sqrt_().clamp_(min=FLOOR)
        affinity = pairs.weigh(affinity)
        away, towards = affinity.split(
            [pairs.negatives, affinity.shape[-1] - pairs.negatives], dim=-1
        )
        pull, push = away.sum(-1, keepdim=True), towards.sum(-1, keepdim=True)
        away.mul_(push.neg_())
        towards.mul_(pull)
        return affinity
