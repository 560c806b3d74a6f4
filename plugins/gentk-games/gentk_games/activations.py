"""Penalties on what a critic makes of images: large features, and images it does not make again."""

from __future__ import annotations

import torch
from torch import Tensor

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import Critic, Penalty, Play

from .augmented import AugmentedCritic

__all__ = ["ActivationPenalty", "AutoencoderPenalty"]


class ActivationPenalty(Penalty):
    """weight * sum over sides and layers of the mean of h^2, h a critic's features.

    The mean is over samples and over the features of a layer.

    Args:
        weight: The factor.
        layers: `all`, or names of the critic's features, joined with +.

    Raises:
        BadOption: If `weight` is not above 0.
        Incompatible: If the critic has no such features.

    Source: M. Binkowski, D. J. Sutherland, M. Arbel, A. Gretton, "Demystifying MMD GANs", ICLR 2018,
    arXiv:1801.01401: the L2 penalty on the activations of all layers, 1 for the kernel rq*.
    """

    def __init__(self, *, weight: float = 1.0, layers: tuple[str, ...] = ("all",)) -> None:
        if not weight > 0:
            raise BadOption(
                f"penalty 'activations': weight={weight} is not above 0; write weight=1"
            )
        self.weight = weight
        self.layers = tuple(layers)

    def forward(self, play: Play) -> dict[str, Tensor]:
        """Return the terms `data` and `model`."""
        terms = {}
        for name, side in play.sides.items():
            features = side.features
            wanted = list(features) if self.layers == ("all",) else self.layers
            for layer in wanted:
                if layer not in features:
                    raise Incompatible(
                        f"penalty 'activations': the critic has no features {layer!r}; write "
                        f"layers={'+'.join(features)}, or some of them"
                    )
            squares = [features[layer].square().mean() for layer in wanted]
            terms[name] = self.weight * torch.stack(squares).sum()
        return terms


class AutoencoderPenalty(Penalty):
    """weight * (MSE(x, r(f(x))) + MSE(G(z), r(f(G(z))))), of a critic that is an auto-encoder.

    Its features include `reconstruction`, images as it makes them again; MSE is the mean over all
    values.

    Args:
        weight: The factor; MMD GAN's is 8.

    Raises:
        BadOption: If `weight` is not above 0.
        Incompatible: If the critic makes no images again, or makes those again that it has transformed.

    Source: C.-L. Li, W.-C. Chang, Y. Cheng, Y. Yang, B. Poczos, "MMD GAN: Towards Deeper Understanding
    of Moment Matching Network", NIPS 2017, arXiv:1705.08584.
    """

    def __init__(self, *, weight: float = 8.0) -> None:
        if not weight > 0:
            raise BadOption(
                f"penalty 'autoencoder': weight={weight} is not above 0; write weight=8"
            )
        self.weight = weight

    def fit(self, critic: Critic) -> None:
        """Refuse a critic that is given images through transformations: it makes those again."""
        if isinstance(critic, AugmentedCritic):
            raise Incompatible(
                "penalty 'autoencoder' compares images with what the critic makes again, and an "
                "augmented one makes transformed images again; leave augmented: out of --critic, or the "
                "penalty"
            )

    def forward(self, play: Play) -> dict[str, Tensor]:
        """Return the terms `data` and `model`."""
        terms = {}
        for name, side in play.sides.items():
            if "reconstruction" not in side.features:
                raise Incompatible(
                    "penalty 'autoencoder' is of critics that make images again, and this one has no "
                    "features 'reconstruction'; type --critic mmdgan-autoencoder"
                )
            gap = side.features["reconstruction"] - side.images
            terms[name] = self.weight * gap.square().mean()
        return terms
