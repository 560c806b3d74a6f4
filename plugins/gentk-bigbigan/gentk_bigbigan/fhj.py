"""The joint discriminator of BigBiGAN: F on images, H on latents, J on both."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from gentk.errors import BadOption
from gentk.interfaces import Critic, Features, ImageShape, Scores
from gentk.limits import at_least, share, square_of
from gentk.spectral import normalised

from .orthogonal import Start, initialise, penalty_of
from .perceptron import ResidualMLP
from .plans import SIDES
from .trunk import Trunk

__all__ = ["FHJCritic", "Score"]

Score = Literal["x", "z", "xz"]
"""s_x of images, s_z of latents, s_xz of pairs."""


class FHJCritic(Critic):
    """s_x = w_x^T F(x),  s_z = w_z^T H(z),  s_xz = w_xz^T J(F(x), H(z)), each with a bias.

    F is the trunk of BigGAN's discriminator, H and J are residual perceptrons. Any subset of the
    scores makes a critic, of the parts it needs: `x` alone is BigGAN's, `xz` alone a BiGAN's.

    Args:
        image: Shape of the images: squares of 32, 64, 128 or 256 px, or any with `trunk=mlp`.
        latent: Dimension of z.
        scores: Which scores there are.
        trunk: What F is: BigGAN's trunk, or a residual perceptron of H's form, for codes and points.
        width: The unit of F's channels; BigBiGAN has 96 at 128 px.
        attention: Side of the map that self-attention follows in F, in pixels; 0 for none.
        hidden: Units of the layers of H and J.
        blocks: Residual blocks of H and of J, two layers each.
        dropout: Share of hidden units of H and J that training drops.
        spectral: Whether maps are spectrally normalised.
        eps: Of spectral normalisation; the trained BigBiGAN has 1e-4.
        start: First weights: `orthogonal`, or `normal`, N(0, 0.02^2). Biases are 0.
        orthogonal: Strength of the orthogonal regularisation.

    Raises:
        Incompatible: If the trunk does not know images of this size.
        BadOption: If there is no score, one is named twice, or an option is out of range.

    Source: Donahue and Simonyan, Large Scale Adversarial Representation Learning, 2019,
    arXiv:1907.02544. H and J with 8 layers of 2048 units are not confirmed.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        scores: tuple[Score, ...] = ("x", "z", "xz"),
        trunk: Literal["biggan", "mlp"] = "biggan",
        width: int = 64,
        attention: int = 64,
        hidden: int = 512,
        blocks: int = 4,
        dropout: float = 0.0,
        spectral: bool = True,
        eps: float = 1e-12,
        start: Start = "orthogonal",
        orthogonal: float = 0.0,
    ) -> None:
        super().__init__()
        owner = "critic 'fhj'"
        if not scores or len(set(scores)) < len(scores):
            raise BadOption(
                f"{owner}: scores={'+'.join(scores)} is no subset of x+z+xz; write scores=x+z+xz"
            )
        at_least(1, owner, {"width": width, "hidden": hidden})
        at_least(0, owner, {"attention": attention, "blocks": blocks})
        share(owner, {"dropout": dropout})
        self.image = image
        self.scores = scores
        self.pairs = scores != ("x",)
        self.orthogonal = orthogonal

        def perceptron(before: int) -> ResidualMLP:
            return ResidualMLP(
                before, hidden, blocks=blocks, dropout=dropout, spectral=spectral, eps=eps
            )

        self.f: Trunk | ResidualMLP | None = None
        self.h: ResidualMLP | None = None
        self.j: ResidualMLP | None = None
        sizes = {"z": hidden, "xz": hidden}
        if {"x", "xz"} & set(scores):
            if trunk == "biggan":
                side = square_of(owner, image, SIDES, "--critic fhj,trunk=mlp")
                self.f = Trunk(
                    side=side,
                    channels=image.channels,
                    width=width,
                    attention=attention,
                    spectral=spectral,
                    eps=eps,
                )
                sizes["x"] = self.f.size
            else:
                self.f = perceptron(image.channels * image.height * image.width)
                sizes["x"] = hidden
        if {"z", "xz"} & set(scores):
            self.h = perceptron(latent)
        if "xz" in scores:
            self.j = perceptron(sizes["x"] + hidden)
        self.last = nn.ModuleDict(
            {name: normalised(nn.Linear(sizes[name], 1), spectral, eps) for name in scores}
        )
        initialise(self, start)

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the scores, and of F(x), H(z) and J(F, H) those there are, as `x`, `z` and `xz`."""
        features: Features = {}
        if self.f is not None:
            features["x"] = self.f(images.flatten(1) if isinstance(self.f, ResidualMLP) else images)
        if self.h is not None:
            features["z"] = self.h(latents)
        if self.j is not None:
            features["xz"] = self.j(torch.cat([features["x"], features["z"]], dim=1))
        return {name: self.last[name](features[name])[:, 0] for name in self.scores}, features

    def penalty(self) -> dict[str, Tensor]:
        """Return the orthogonal regularisation, `orthogonal`, if there is any."""
        return penalty_of(self, self.orthogonal)
