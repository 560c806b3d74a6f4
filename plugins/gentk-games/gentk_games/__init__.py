"""gentk-games: what critics, generators and encoders play for."""

from __future__ import annotations

import gentk.spec as gentk

__all__ = ["gentk_components"]


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the losses of this distribution, and the family that trains them."""
    return [
        gentk.Component(
            kind="loss",
            name="hinge",
            target="gentk_games.hinge:HingeLoss",
            summary="a hinge on each score for the critic, none for the others (BigGAN, BigBiGAN)",
        ),
        gentk.Component(
            kind="loss",
            name="logistic",
            target="gentk_games.logistic:LogisticLoss",
            summary="log-likelihood of which side a pair comes from (GAN, BiGAN, ALI)",
        ),
        gentk.Component(
            kind="loss",
            name="latent-regressor",
            target="gentk_games.regressor:LatentRegressor",
            summary="an ordinary game, and an encoder that learns z from G(z) (BiGAN's baseline)",
        ),
        gentk.Component(
            kind="family",
            name="adversarial",
            target="gentk_games.family:AdversarialFamily",
            summary="a critic in turn with a generator, and with it an encoder or not",
        ),
    ]
