"""The game of a classifier: its classes are the data's, and what is in none of them is a sample."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gentk.errors import Incompatible
from gentk.interfaces import AdversarialLoss, Play
from gentk.limits import at_least, positive

from .terms import layer_of

__all__ = ["ClassifierLoss"]

OWNER = "loss 'classifier'"


class ClassifierLoss(AdversarialLoss):
    """A critic that tells the classes of the data apart, and by the same logits data from samples.

    With l_1 ... l_K the critic's features of one layer, sp(t) = log(1 + e^t), and
    L(x) = log sum_k e^l_k(x), so that D = Z / (Z + 1), Z = e^L, is the probability of the data:

        L_D = supervised mean [L(x) - l_y(x)] + weight (mean sp(-L(x)) + mean sp(L(G(z))))
        L_G = mean sp(-L(G(z)))

    The first mean is over the images of a batch that have a label: an image that `labels=FILE.npy` gives
    -1 has none, and teaches the critic as an image alone. It is no mean over all samples, so `chunk` is
    refused. The published generator plays for the critic's mean features instead of L_G: write this loss
    as the critic's own (`[phase.critic] loss`) beside a matching loss on `--extractor critic`.

    Args:
        classes: K, the classes of the data; the layer has as many columns.
        layer: The layer whose features are the logits; by default the critic's last one.
        supervised: Factor of the term of labelled images.
        weight: Factor of the terms that tell the sides apart.

    Raises:
        BadOption: If a factor is not above 0, or there are fewer than two classes.

    Source: T. Salimans et al., Improved Techniques for Training GANs, 2016, arXiv:1606.03498, section 5,
    and its released code.
    """

    means = False

    def __init__(
        self,
        *,
        classes: int = 10,
        layer: str | None = None,
        supervised: float = 1.0,
        weight: float = 0.5,
    ) -> None:
        at_least(2, OWNER, {"classes": classes})
        positive(OWNER, {"supervised": supervised, "weight": weight})
        self.classes = classes
        self.layer = layer
        self.supervised = supervised
        self.weight = weight

    def prepare(self, play: Play) -> None:
        """Refuse a layer of another width; raise `Incompatible`."""
        width = layer_of(play.data.features, self.layer, OWNER).shape[1]
        if width != self.classes:
            raise Incompatible(
                f"{OWNER} has {self.classes} classes and the critic's layer {width} columns; give the "
                f"critic as many outputs, as in sngan-cnn,outputs={self.classes} with layer=code"
            )

    def critic_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `data/class`, the error of labelled images, and `data/x` and `model/x`."""
        logits = {
            name: layer_of(side.features, self.layer, OWNER) for name, side in play.sides.items()
        }
        real, fake = logits["data"], logits["model"]
        labels = play.data.labels
        if labels is None:
            labels = torch.full((len(real),), -1, device=real.device)
        known = (labels >= 0).to(real.dtype)
        own = real.gather(1, labels.clamp(min=0)[:, None]).squeeze(1)
        errors = (real.logsumexp(1) - own) * known
        return {
            "data/class": self.supervised * errors.sum() / known.sum().clamp(min=1),
            "data/x": self.weight * softplus(-real.logsumexp(1)).mean(),
            "model/x": self.weight * softplus(fake.logsumexp(1)).mean(),
        }

    def generator_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `model/x`, how surely samples are in no class."""
        logits = layer_of(play.model.features, self.layer, OWNER)
        return {"model/x": softplus(-logits.logsumexp(1)).mean()}
