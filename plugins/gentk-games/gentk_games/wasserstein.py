"""The Wasserstein game: scores without a squashing function."""

from __future__ import annotations

from torch import Tensor

from gentk.interfaces import AdversarialLoss, Play

from .terms import Reduction, terms

__all__ = ["WassersteinLoss"]


class WassersteinLoss(AdversarialLoss):
    """The difference of mean scores: with a 1-Lipschitz critic, the Wasserstein-1 distance.

    With s_k(x, E(x)) a score of the data's pair and s_k(G(z), z) of the model's:

        L_D  = sum_k [mean s_k(G(z), z) - mean s_k(x, E(x))]
        L_EG = -L_D

    Without a constraint the critic's loss has no bound below: add `--penalty gradient` (WGAN-GP), or
    `[phase.critic] clamp = 0.01` to the recipe (WGAN), or take a critic with spectral normalisation.

    Args:
        reduction: `sum` over scores, or their `mean`.

    Source: Arjovsky, Chintala and Bottou, Wasserstein GAN, 2017, arXiv:1701.07875; Gulrajani et al.,
    Improved Training of Wasserstein GANs, 2017, arXiv:1704.00028.
    """

    def __init__(self, *, reduction: Reduction = "sum") -> None:
        self.reduction: Reduction = reduction

    def critic_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `data/SCORE`, the mean scores negated, and `model/SCORE`, the mean scores."""
        real = terms(play.data, lambda s: -s, self.reduction)
        return real | terms(play.model, lambda s: s, self.reduction)

    def generator_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `model/SCORE`, the mean scores negated, and for an encoder `data/SCORE`."""
        real = terms(play.data, lambda s: s, self.reduction) if play.pairs else {}
        return real | terms(play.model, lambda s: -s, self.reduction)
