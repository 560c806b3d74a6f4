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
        weights = pairs.weigh(torch.ones_like(costs))
        sizes = [pairs.negatives, costs.shape[1] - pairs.negatives]
        away, towards = (
            plan(cost / -temperature, own, self.iterations)
            for cost, own in zip(
                costs.split(sizes, dim=1), weights.split(sizes, dim=1), strict=True
            )
        )
        meets = [part.any(1, keepdim=True) for part in weights.split(sizes, dim=1)]
        coefficients: Tensor = torch.cat([-away, towards], dim=1) * (meets[0] & meets[1])
        return coefficients


def plan(logits: Tensor, weights: Tensor, iterations: float) -> Tensor:
    """Return what each target counts for each sample, (N, M).

    Its rows add up to one, so that products with targets are barycentres; without iterations it is
    exp(logits) w over the sum of w.

    Args:
        logits: -c / R, (N, M).
        weights: w, (N, M): 0 for pairs that never meet, otherwise alike in all rows.
        iterations: How often rows, then columns, are scaled to marginals that are uniform, and w.
    """
    check_tensors("plan", logits=(logits, "N M"), weights=(weights, "N M"))
    share = weights.log().clamp(min=-NEVER)
    share = share - _total(share, 1)
    logits = logits + share
    if iterations == 0:
        return logits.exp()
    for _ in range(int(iterations)):
        logits = logits - _total(logits, 1)
        logits = logits - _total(logits, 0) + share
    return logits.softmax(1)


def _total(logits: Tensor, axis: int) -> Tensor:
    """Return the logarithm of a sum; where nobody meets, what leaves logits as small as they are."""
    total: Tensor = logits.logsumexp(axis, keepdim=True).clamp(min=-NEVER / 10)
    return total
