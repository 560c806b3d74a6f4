"""A penalty on the size of the gradient of a critic's scores in its own weights."""

from __future__ import annotations

import torch
from torch import Tensor

from gentk.errors import BadOption
from gentk.interfaces import Penalty, Play

__all__ = ["WeightGradientPenalty"]


class WeightGradientPenalty(Penalty):
    """weight * (|grad_phi mean_i s(x_i)|^2 - target)^2 of the data, and the same of the model.

    s is the sum of the critic's scores, phi its weights. It keeps learned moments, which are this
    gradient, from growing without end and from depending on each other. Of the critic's steps alone: in
    the generator's the weights are constants.

    Args:
        weight: The factor.
        target: The squared norm that costs nothing.

    Raises:
        BadOption: If `weight` is not above 0, or `target` below 0.

    Source: S. Ravuri, S. Mohamed, M. Rosca, O. Vinyals, "Learning Implicit Generative Models with the
    Method of Learned Moments", ICML 2018, arXiv:1806.11006, in the form of a student's reimplementation.
    """

    means = False
    twice = True

    def __init__(self, *, weight: float = 1.0, target: float = 1.0) -> None:
        owner = "penalty 'weight-gradient'"
        if not weight > 0:
            raise BadOption(f"{owner}: weight={weight} is not above 0; write weight=1")
        if not target >= 0:
            raise BadOption(f"{owner}: target={target} is below 0; write target=1")
        self.weight = weight
        self.target = target

    def forward(self, play: Play) -> dict[str, Tensor]:
        """Return the terms `data` and `model`; none where no weights are trained."""
        terms: dict[str, Tensor] = {}
        if not play.weights:
            return terms
        for name, side in play.sides.items():
            total = torch.stack([score.mean() for score in side.scores.values()]).sum()
            slopes = torch.autograd.grad(
                total, play.weights, create_graph=True, materialize_grads=True
            )
            size = torch.stack([slope.square().sum() for slope in slopes]).sum()
            terms[name] = self.weight * (size - self.target).square()
        return terms
