"""The logistic game, score by score."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import softplus

from gentk.interfaces import AdversarialLoss, Play
from gentk.limits import positive

from .terms import Reduction, terms

__all__ = ["Form", "LogisticLoss"]

Form = Literal["swapped", "minimax"]
"""What generator and encoder minimise: the critic's loss with its labels swapped, or its negative."""


class LogisticLoss(AdversarialLoss):
    """The log-likelihood of a critic that says whether a pair is of the data; scores are logits.

    With sp(t) = log(1 + e^t), s_k(x, E(x)) a score of the data's pair and s_k(G(z), z) of the model's:

        L_D  = weight sum_k [mean sp(-s_k(x, E(x))) + mean sp(s_k(G(z), z))]
        L_EG = v sum_k [mean sp(s_k(x, E(x))) + mean sp(-s_k(G(z), z))]    (swapped)
        L_EG = -v L_D / weight                                             (minimax)

    The swapped form is what BiGAN and ALI train with, both terms of it: without the first the encoder
    would have no gradient. Without an encoder it is the non-saturating GAN, and `minimax` the
    original one.

    Args:
        form: What generator and encoder minimise.
        reduction: `sum` over scores, or their `mean`.
        weight: Factor of the critic's terms; the released code of BiGAN has 0.5.
        generator_weight: v, the factor of generator's and encoder's terms; 0.5 there too.

    Raises:
        BadOption: If a factor is not above 0.

    Source: Donahue, Krahenbuhl and Darrell, Adversarial Feature Learning, 2017, arXiv:1605.09782;
    Dumoulin et al., Adversarially Learned Inference, 2017, arXiv:1606.00704.
    """

    def __init__(
        self,
        *,
        form: Form = "swapped",
        reduction: Reduction = "sum",
        weight: float = 1.0,
        generator_weight: float = 1.0,
    ) -> None:
        positive("loss 'logistic'", {"weight": weight, "generator_weight": generator_weight})
        self.form = form
        self.reduction: Reduction = reduction
        self.weight = weight
        self.generator_weight = generator_weight

    def critic_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `data/SCORE` and `model/SCORE`, mean negative log-likelihoods."""
        real = terms(play.data, lambda s: self.weight * softplus(-s), self.reduction)
        return real | terms(play.model, lambda s: self.weight * softplus(s), self.reduction)

    def generator_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `model/SCORE` and, for an encoder, `data/SCORE`, of swapped labels or negated."""
        # softplus(s) says how surely the critic takes a pair for the data's.
        sign = 1 if self.form == "swapped" else -1
        v = sign * self.generator_weight
        real = (
            terms(play.data, lambda s: v * softplus(sign * s), self.reduction) if play.pairs else {}
        )
        model = terms(play.model, lambda s: v * softplus(-sign * s), self.reduction)
        return real | model
