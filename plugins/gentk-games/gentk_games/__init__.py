"""gentk-games: what networks play for, and what keeps a critic from learning the data by heart."""

from __future__ import annotations

import gentk.spec as gentk

__all__ = ["gentk_components"]


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the losses, penalties and the critic of this distribution, and the family of games."""
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
            name="wasserstein",
            target="gentk_games.wasserstein:WassersteinLoss",
            summary="the difference of mean scores, for a critic that is kept from being steep (WGAN)",
        ),
        gentk.Component(
            kind="loss",
            name="fisher",
            target="gentk_games.fisher:FisherLoss",
            summary="the difference of mean scores whose second moment is held at one (Fisher GAN)",
        ),
        gentk.Component(
            kind="loss",
            name="denoising",
            target="gentk_games.denoising:DenoisingLoss",
            summary="a GAN, and samples drawn to denoised features of the critic (GAN-DFM)",
        ),
        gentk.Component(
            kind="loss",
            name="classifier",
            target="gentk_games.classifier:ClassifierLoss",
            summary="the critic tells classes apart, and data from samples (Improved GAN)",
        ),
        gentk.Component(
            kind="metric",
            name="classifier",
            target="gentk_games.error:ClassifierError",
            summary="the error of a critic that is a classifier, on labelled images (Improved GAN)",
        ),
        gentk.Component(
            kind="penalty",
            name="gradient",
            target="gentk_games.gradient:GradientPenalty",
            summary="the size of the critic's gradient: WGAN-GP, R1, R2",
        ),
        gentk.Component(
            kind="penalty",
            name="activations",
            target="gentk_games.activations:ActivationPenalty",
            summary="the size of the critic's features (MMD GANs)",
        ),
        gentk.Component(
            kind="penalty",
            name="weight-gradient",
            target="gentk_games.weight_gradient:WeightGradientPenalty",
            summary="the size of the scores' gradient in the critic's weights (learned moments)",
        ),
        gentk.Component(
            kind="penalty",
            name="autoencoder",
            target="gentk_games.activations:AutoencoderPenalty",
            summary="how well an auto-encoding critic makes images again (MMD GAN)",
        ),
        gentk.Component(
            kind="loss",
            name="latent-regressor",
            target="gentk_games.regressor:LatentRegressor",
            summary="an ordinary game, and an encoder that learns z from G(z) (BiGAN's baseline)",
        ),
        gentk.Component(
            kind="critic",
            name="augmented",
            target="gentk_games.augmented:AugmentedCritic",
            summary="another critic, which sees both sides through random transformations (DiffAugment)",
            argument="CRITIC",
            wraps="critic",
        ),
        gentk.Component(
            kind="family",
            name="adversarial",
            target="gentk_games.family:AdversarialFamily",
            summary="a critic in turn with a generator, and with it an encoder or not",
        ),
    ]
