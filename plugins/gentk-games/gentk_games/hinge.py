"""The hinge game, score by score."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from gentk.interfaces import AdversarialLoss, Play

from .terms import Reduction, terms

__all__ = ["HingeLoss"]


class HingeLoss(AdversarialLoss):
    """A hinge on each score for the critic, the scores themselves for generator and encoder.

    With s_k(x, E(x)) the score k of a pair of the data, s_k(G(z), z) that of a pair of the model:

        L_D  = sum_k mean max(0, 1 - s_k(x, E(x))) + sum_k mean max(0, 1 + s_k(G(z), z))
        L_EG = sum_k mean s_k(x, E(x)) - sum_k mean s_k(G(z), z)

    BigBiGAN with the scores x, z and xz; of images alone, the game of BigGAN and SN-GAN.

    Args:
        reduction: `sum` over scores, or their `mean`: a third of it for three scores, which Adam
            does not see.

    Source: Donahue and Simonyan, Large Scale Adversarial Representation Learning, 2019,
    arXiv:1907.02544; Lim and Ye, Geometric GAN, 2017, arXiv:1705.02894.
    """

    def __init__(self, *, reduction: Reduction = "sum") -> None:
        self.reduction: Reduction = reduction

    def critic_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `data/SCORE` and `model/SCORE`, the mean hinges."""
        real = terms(play.data, lambda s: functional.relu(1 - s), self.reduction)
        return real | terms(play.model, lambda s: functional.relu(1 + s), self.reduction)

    def generator_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `model/SCORE`, the mean scores negated, and for an encoder `data/SCORE`."""
        real = terms(play.data, lambda s: s, self.reduction) if play.pairs else {}
        return real | terms(play.model, lambda s: -s, self.reduction)
