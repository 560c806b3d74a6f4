"""The gradient penalty: the size of the critic's gradient in what it judges."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import Critic, Penalty, Play

__all__ = ["GradientPenalty"]


class GradientPenalty(Penalty):
    """weight * mean_i (|grad s(x_i)| - target)^2, the norm over all values of a sample.

    s is the sum of the critic's scores; of a critic of pairs the gradient is that in image and latent
    together. With `sided=above` only norms above the target count: max(0, |grad s| - target)^2.

        gradient                                      WGAN-GP: at u x + (1 - u) G(z), u ~ U(0, 1)
        gradient,sided=above                          WGAN-LP
        gradient,at=data,target=0,weight=5            R1 with gamma = 10: gamma / 2 mean |grad s(x)|^2
        gradient,at=model,target=0,weight=5           R2

    Batch norms make a score depend on the whole batch, and the gradient is then that of the sum over
    samples: the papers leave them out of the critic.

    With `of=witness`, s is the witness function of the matching losses that critic and generator play
    for (`--extractor critic`), as in MMD GANs: it depends on both batches, whose gradient is in the
    penalty's, so that chunks of a batch do not add up to it.

    Args:
        at: Where: `between` data and model, on a line between one of each drawn anew for each sample;
            at the `data`; at the `model`'s samples.
        target: The norm that costs nothing.
        sided: Whether norms below the target cost too, `both`, or only those `above`.
        weight: Factor of the mean.
        of: What is to be not steep: the sum of the critic's `scores`, or the `witness` function.

    Raises:
        BadOption: If `target` is below 0, or `weight` is not above 0.
        Incompatible: If the critic looks at classes and `at=between`, where images are of two; or with
            `of=witness`, if it summarises a side by itself, of which there are no features of a point.

    Source: Gulrajani et al., Improved Training of Wasserstein GANs, 2017, arXiv:1704.00028; Petzka et
    al., On the Regularization of Wasserstein GANs, 2018, arXiv:1709.08894; Mescheder et al., Which
    Training Methods for GANs do actually Converge?, 2018, arXiv:1801.04406.
    """

    def __init__(
        self,
        *,
        at: Literal["between", "data", "model"] = "between",
        target: float = 1.0,
        sided: Literal["both", "above"] = "both",
        weight: float = 10.0,
        of: Literal["scores", "witness"] = "scores",
    ) -> None:
        if not target >= 0:
            raise BadOption(f"penalty 'gradient': target={target} is below 0; write target=1")
        if not weight > 0:
            raise BadOption(f"penalty 'gradient': weight={weight} is not above 0; write weight=10")
        self.at: Literal["between", "data", "model"] = at
        self.target = target
        self.sided: Literal["both", "above"] = sided
        self.weight = weight
        self.of: Literal["scores", "witness"] = of
        self.graphs = frozenset({at} - {"between"}) if of == "scores" else frozenset()
        self.witnessed = of == "witness"
        self.means = not self.witnessed

    def fit(self, critic: Critic) -> None:
        """Refuse interpolates of images of two classes, and a witness of what is no feature."""
        if critic.classes and self.at == "between":
            raise Incompatible(
                "penalty 'gradient' with at=between mixes an image of one class with one of another, "
                "and the critic looks at classes; write at=data or at=model"
            )
        if self.witnessed and type(critic).summarise_side is not Critic.summarise_side:
            raise Incompatible(
                f"a {type(critic).__name__} summarises a side by itself, so that there is no witness "
                "function of its features at a point; leave of=witness out, or type another --critic"
            )

    def forward(self, play: Play) -> dict[str, Tensor]:
        """Return one term, called by where it is: `between`, `data` or `model`."""
        slopes = self._slopes(play)
        squares = torch.cat([slope.flatten(1) for slope in slopes], dim=1)
        if self.target == 0:
            # No root, whose own slope has no end at 0.
            return {self.at: self.weight * squares.square().sum(1).mean()}
        gap = torch.linalg.vector_norm(squares, dim=1) - self.target
        gap = functional.relu(gap) if self.sided == "above" else gap
        return {self.at: self.weight * gap.square().mean()}

    def _slopes(self, play: Play) -> list[Tensor]:
        """Return the gradient of the scores in images and, of pairs, latents, with a graph."""
        side = None if self.at == "between" else play.sides[self.at]
        if side is None:
            inputs = self._between(play)
        else:
            inputs = [side.images, side.latents] if play.pairs else [side.images]
        if self.of == "witness":
            # Points of their own: the function is made of the sides' images and stays as it is.
            inputs = [point.detach().requires_grad_() for point in inputs]
            labels = None if side is None else side.labels
            total = play.witness(*inputs, labels=labels).sum()
        else:
            scores = play.critic(*inputs) if side is None else side.scores
            total = torch.stack([score.sum() for score in scores.values()]).sum()
        slopes = torch.autograd.grad(total, inputs, create_graph=True, materialize_grads=True)
        return list(slopes)

    def _between(self, play: Play) -> list[Tensor]:
        """Return images, and latents of pairs, on the lines between data and model."""
        data, model = play.data, play.model
        ends = [(data.images, model.images)]
        if play.pairs:
            ends.append((data.latents, model.latents))
        share = play.noise("between", law="uniform")
        points = []
        for one, other in ends:
            u = share.view(-1, *[1] * (one.dim() - 1))
            point = u * one + (1 - u) * other
            points.append(point if point.requires_grad else point.requires_grad_())
        return points
