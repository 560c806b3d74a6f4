"""The latent regressor: an encoder that is taught on the generator's own samples."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import softplus

from gentk.interfaces import AdversarialLoss, Play
from gentk.limits import positive

from .terms import terms

__all__ = ["LatentRegressor"]

ROUNDED = 1e-7
"""How near a probability may come to 0 and 1: about what float32 tells from 1."""


class LatentRegressor(AdversarialLoss):
    """An ordinary GAN of images, and beside it an encoder that learns z from G(z).

        L_D = u [mean sp(-s(x)) + mean sp(s(G(z)))],
        L_G = v mean sp(-s(G(z))),    L_E = weight mean_i d(z_i, E(G(z))_i)

    with d the squared error, or for z ~ U(-1, 1) the cross-entropy of p = (z + 1) / 2 under q,

        d(z, t) = -p log q - (1 - p) log(1 - q),    q = sigmoid(t) or (t + 1) / 2.

    The encoder never sees the data. With `joint`, L_E goes through G too.

    Args:
        distance: `squared`; or for a uniform prior `bounded`, q = (t + 1) / 2 of an encoder whose codes
            are in (-1, 1) as z is, or `bernoulli`, q = sigmoid(t), whose codes are no latents of G.
        joint: Whether the generator learns from L_E too; the released code then has weight=0.25.
        weight: Factor of L_E.
        critic_weight: u; 0.5 in the released code.
        generator_weight: v; 1 there.

    Raises:
        BadOption: If a factor is not above 0.

    Source: the baselines LR and JLR of Donahue, Krahenbuhl and Darrell, Adversarial Feature
    Learning, 2017, arXiv:1605.09782, and its released code.
    """

    needs = frozenset({"encoder"})

    def __init__(
        self,
        *,
        distance: Literal["squared", "bernoulli", "bounded"] = "squared",
        joint: bool = False,
        weight: float = 1.0,
        critic_weight: float = 1.0,
        generator_weight: float = 1.0,
    ) -> None:
        factors = {
            "weight": weight,
            "critic_weight": critic_weight,
            "generator_weight": generator_weight,
        }
        positive("loss 'latent-regressor'", factors)
        self.distance = distance
        self.joint = joint
        self.weight = weight
        self.critic_weight = critic_weight
        self.generator_weight = generator_weight

    def critic_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `data/SCORE` and `model/SCORE`, mean negative log-likelihoods."""
        u = self.critic_weight
        real = terms(play.data, lambda s: u * softplus(-s), "sum")
        return real | terms(play.model, lambda s: u * softplus(s), "sum")

    def generator_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `model/SCORE`, and `inversion`: the mean distance of z from E(G(z))."""
        latents, inversion = play.model.latents, play.model.inversion
        p = (latents + 1) / 2
        if self.distance == "squared":
            error = (inversion - latents).square()
        elif self.distance == "bernoulli":
            # Cross-entropy of logits: sp(t) - p t.
            error = softplus(inversion) - p * inversion
        else:
            # A tanh rounds to 1 where its argument is large.
            q = ((inversion + 1) / 2).clamp(ROUNDED, 1 - ROUNDED)
            error = -p * q.log() - (1 - p) * (1 - q).log()
        own = {"inversion": self.weight * error.mean()}
        v = self.generator_weight
        return terms(play.model, lambda s: v * softplus(-s), "sum") | own
