"""The game of Fisher GAN: a difference of means over a second moment."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gentk.errors import BadOption
from gentk.interfaces import AdversarialLoss, Play

from .terms import terms

__all__ = ["FisherLoss"]


class FisherLoss(AdversarialLoss, nn.Module):
    """The difference of mean scores of a critic whose second moment is held at one.

    With f the sum of the critic's scores, P the data and Q the model:

        O = (E_P f^2 + E_Q f^2) / 2
        L_D  = -(E_P f - E_Q f) - l (1 - O) + rho / 2 (O - 1)^2,    then    l <- l - rho (1 - O)
        L_EG = E_P f - E_Q f

    an augmented Lagrangian: l falls while O is below one, which lets the critic grow, and rises while it
    is above. l starts at 0, moves once a critic's step by the O of the whole batch, and is kept in
    checkpoints. O enters squared, so the terms are no means and `chunk` is refused. Data and model go
    through the critic apart, as in the released code: a batch norm never mixes them.

    Args:
        rho: The size of a step of l, and of the quadratic term.

    Raises:
        BadOption: If `rho` is not above 0.

    Source: Mroueh and Sercu, Fisher GAN, 2017, arXiv:1705.09675, and its released code.
    """

    means = False
    multiplier: Tensor

    def __init__(self, *, rho: float = 1e-6) -> None:
        nn.Module.__init__(self)
        if not rho > 0:
            raise BadOption(f"loss 'fisher': rho={rho} is not above 0; write rho=1e-6")
        self.rho = rho
        self.register_buffer("multiplier", torch.zeros(()))

    def critic_loss(self, play: Play) -> dict[str, Tensor]:
        """Return the mean scores, `data/SCORE` negated and `model/SCORE`, and `constraint`."""
        slack = 1 - _moment(play)
        constraint = self.rho / 2 * slack.square() - self.multiplier * slack
        real = terms(play.data, lambda s: -s, "sum")
        return real | terms(play.model, lambda s: s, "sum") | {"constraint": constraint}

    def generator_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `model/SCORE`, the mean scores negated, and for an encoder `data/SCORE`."""
        real = terms(play.data, lambda s: s, "sum") if play.pairs else {}
        return real | terms(play.model, lambda s: -s, "sum")

    def observe(self, play: Play) -> dict[str, Tensor]:
        """Return O as `moment`, and l as it is in this step as `multiplier`."""
        return {"moment": _moment(play), "multiplier": self.multiplier.clone()}

    def after_critic_step(self, means: Mapping[str, Tensor]) -> None:
        """Move l by the slack of the whole batch."""
        self.multiplier.sub_(self.rho * (1 - means["moment"]))


def _moment(play: Play) -> Tensor:
    """Return O, the mean over both sides of the squared sum of scores."""
    sums = [torch.stack(list(side.scores.values())).sum(0) for side in play.sides.values()]
    return torch.stack([f.square().mean() for f in sums]).mean()
