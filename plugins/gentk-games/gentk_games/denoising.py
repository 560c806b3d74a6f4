"""The game of denoising feature matching: samples are drawn to denoised features of the critic."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import softplus

from gentk.errors import BadOption
from gentk.interfaces import AdversarialLoss, Play
from gentk.limits import at_least, positive

from .terms import layer_of, terms

__all__ = ["DenoisingLoss"]

OWNER = "loss 'denoising'"


class DenoisingLoss(AdversarialLoss, nn.Module):
    """An ordinary GAN, and beside it a denoiser r of the critic's features h of the data.

        L_D = mean sp(-s(x)) + mean sp(s(G(z)))
        L_r = mean |r(h(x) + noise n) - h(x)|^2,    n ~ N(0, I)
        L_G = weight mean |h(G(z)) - r(h(G(z)))|^2 + adversarial mean sp(-s(G(z)))

    |.|^2 is the sum over all D features of a sample. One public implementation has the factors
    0.03 / D and 1; another has 1 and 0.03, but means over features in the place of sums: 1 / D here.

    r moves a sample's features to more likely ones of the data; in L_G what it returns is a constant
    target, and the gradient goes through h(G(z)) alone. L_r moves r and not the critic. r is a
    perceptron with ReLUs, trained in the critic's phase and kept in checkpoints. Its batch norms take
    the means of the batch at hand in both turns; samples then depend on each other, and `chunk` is
    refused, without them not.

    Args:
        weight: Factor of the distance to what the denoiser makes.
        adversarial: Factor of the generator's ordinary term; 0 for none.
        noise: Standard deviation of the noise that is taken away.
        layer: Which of the critic's features; by default its last ones.
        widths: Units of the hidden layers of r.
        norm: Whether r has batch norms.
        through: Whether the gradient of L_G goes through r too: a defect of a public reimplementation,
            for its numbers.

    Raises:
        BadOption: If `noise` or `weight` is not above 0, `adversarial` below 0, a width below 1, or the
            critic has no such layer.

    Source: Warde-Farley and Bengio, Improving Generative Adversarial Networks with Denoising Feature
    Matching, ICLR 2017. The paper prints the noisy features as the target of L_r.
    """

    def __init__(
        self,
        *,
        weight: float = 1.0,
        adversarial: float = 0.03,
        noise: float = 1.0,
        layer: str | None = None,
        widths: tuple[int, ...] = (1024,) * 9,
        norm: bool = True,
        through: bool = False,
    ) -> None:
        nn.Module.__init__(self)
        positive(OWNER, {"weight": weight, "noise": noise})
        if not adversarial >= 0:
            raise BadOption(
                f"{OWNER}: adversarial={adversarial} is below 0; write adversarial=0.03"
            )
        at_least(1, OWNER, {"widths": min(widths, default=1)})
        self.weight = weight
        self.adversarial = adversarial
        self.noise = noise
        self.layer = layer
        self.widths = widths
        self.norm = norm
        self.means = not norm
        self.through = through
        self.targets = not through

    def prepare(self, play: Play) -> None:
        """Make the denoiser, as wide as the features."""
        features = layer_of(play.data.features, self.layer, OWNER)
        size = features.shape[1]
        layers: list[nn.Module] = []
        for before, after in pairwise((size, *self.widths)):
            between = [nn.BatchNorm1d(after, track_running_stats=False)] if self.norm else []
            layers += [nn.Linear(before, after), *between, nn.ReLU()]
        last = nn.Linear((size, *self.widths)[-1], size)
        self.denoiser = nn.Sequential(*layers, last).to(features.device)

    def networks(self) -> dict[str, nn.Module]:
        """Return the denoiser, which the critic's phase trains."""
        return {"critic": self.denoiser}

    def critic_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `data/SCORE` and `model/SCORE`, the critic's, and `denoising`, the denoiser's."""
        clean = layer_of(play.data.features, self.layer, OWNER).detach()
        noisy = clean + self.noise * play.noise("denoising", clean.shape[1], law="normal")
        error = self.denoiser(noisy) - clean
        real = terms(play.data, lambda s: softplus(-s), "sum")
        game = real | terms(play.model, softplus, "sum")
        return game | {"denoising": error.square().sum(1).mean()}

    def generator_loss(self, play: Play) -> dict[str, Tensor]:
        """Return `features`, the distance to the denoiser's target, and `model/SCORE`."""
        own = layer_of(play.model.features, self.layer, OWNER)
        target = self.denoiser(own if self.through else own.detach())
        if not self.through:
            target = target.detach()
        distance = {"features": self.weight * (own - target).square().sum(1).mean()}
        if not self.adversarial:
            return distance
        return distance | terms(play.model, lambda s: self.adversarial * softplus(-s), "sum")
