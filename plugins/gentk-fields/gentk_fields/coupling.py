"""Couplings: along a plan of transport from samples to the data, less one from samples to samples.

    V(x) = T_qp(x) - T_qq'(x)

T is the barycentric map of a plan P between the batch and targets with the scaled costs c of
`gentk_fields.pairs` (c = d, or d^2 / 2) and a temperature R: the mean of the targets under P. How
often P is scaled to its marginals is an option, and makes a family of known methods of one:

    iterations=0     no scaling, P = exp(-c / R) w / mean     a kernel's field: MMD flow
    iterations=0.5   rows only                                mean shift: the direction of KL
    iterations=n     rows and columns, n times                Sinkhorn

Samples q' that push are either all others of the batch, with the diagonal masked, or the other half of
it, which is independent of the sample pushed: where a mode holds few samples the mask leaves a bias.

Source: arXiv:2603.12366 (Sinkhorn drifting), arXiv:2605.11755 (W-Flow), arXiv:2603.10592.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gentk.errors import BadOption
from gentk.summary import check_tensors

from .pairs import NEVER, TEMPERATURES, PairLoss, Pairs

__all__ = ["Coupling", "plan"]


class Coupling(PairLoss):
    """Draws each sample along a plan of transport to the data, as the module's formulas say.

    Args:
        iterations: How often rows and columns are scaled: 0 (MMD flow), 0.5 (mean shift, KL), or a
            whole number (Sinkhorn).
        temperatures: R, joined with +; each has a force of root mean square 1.
        cost: `distance`, or `quadratic`: half of its square.
        pairs: `mask` pushes a sample by all others; `halves` by the other half of the batch.
        per_class: Only samples of one class meet: for conditional generators and data with labels.
        eta: How far along the field a target lies.
        layers: `each` adds up the losses of layers; `joint` takes all layers as one vector.
        pool: `mean` averages features over positions; `none` takes every position as features of its
            own.
    """

    def __init__(
        self,
        *,
        iterations: float = 3.0,
        temperatures: tuple[float, ...] = TEMPERATURES,
        cost: Literal["distance", "quadratic"] = "distance",
        pairs: Literal["mask", "halves"] = "mask",
        per_class: bool = False,
        eta: float = 1.0,
        layers: Literal["each", "joint"] = "each",
        pool: Literal["mean", "none"] = "mean",
    ) -> None:
        self.settle("loss 'coupling'", temperatures, eta, layers, pool)
        if iterations != 0.5 and not (
            0 <= iterations < float("inf") and iterations == int(iterations)
        ):
            raise BadOption(
                f"loss 'coupling': iterations is 0, 0.5 or a whole number, not {iterations}; write "
                "iterations=3"
            )
        if per_class:
            self.needs = frozenset({"labels"})
        self.iterations = iterations
        self.quadratic = cost == "quadratic"
        self.selves = "halves" if pairs == "halves" else "masked"
        self.per_class = per_class

    def coefficients(self, pairs: Pairs, temperature: float) -> Tensor:
        """Return the plan to the data less the plan to the model; 0 where either has nobody to meet."""
        costs = pairs.distances.square() / 2 if self.quadratic else pairs.distances
        sizes = [pairs.negatives, costs.shape[-1] - pairs.negatives]
        weights = pairs.weigh(costs.new_ones(costs.shape[-2:])).split(sizes, dim=1)
        # Where all weigh the same and all have somebody to meet, distances say who may not.
        plain = self.iterations > 0 and pairs.weights is None and not self.per_class
        away, towards = (
            plan(cost / -temperature, None if plain else own, self.iterations)
            for cost, own in zip(costs.split(sizes, dim=-1), weights, strict=True)
        )
        meets = weights[0].any(1, keepdim=True) & weights[1].any(1, keepdim=True)
        return torch.cat([away.neg_(), towards], dim=-1).mul_(meets)


def plan(logits: Tensor, weights: Tensor | None, iterations: float) -> Tensor:
    """Return what each target counts for each sample, (N, M) or (L, N, M).

    Its rows add up to one, so that products with targets are barycentres; without iterations it is
    exp(logits) w over the sum of w.

    Args:
        logits: -c / R, (N, M) or (L, N, M), far below all others for pairs that never meet.
        weights: w, (N, M): 0 for pairs that never meet, otherwise alike in all rows; None where all
            are 1.
        iterations: How often rows, then columns, are scaled to marginals that are uniform, and w.
    """
    axes = "L N M" if isinstance(logits, Tensor) and logits.dim() == 3 else "N M"
    check_tensors("plan", logits=(logits, axes), weights=(weights, "N M"))
    if weights is None:
        if iterations == 0:
            return logits.exp() / logits.shape[-1]
        for _ in range(int(iterations)):
            logits = logits.log_softmax(-1).log_softmax(-2)
        return logits.softmax(-1)
    never = weights == 0
    share = (weights / weights.sum(1, keepdim=True)).log().masked_fill_(never, -NEVER)
    logits = logits + share
    if iterations == 0:
        return logits.exp()
    for _ in range(int(iterations)):
        # Where nobody meets, sums are not to become one.
        logits = logits.log_softmax(-1).masked_fill_(never, -NEVER)
        logits = logits.log_softmax(-2).masked_fill_(never, -NEVER) + share
    return logits.softmax(-1)
