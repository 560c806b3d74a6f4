"""The discriminator of BigGAN, of images alone."""

from __future__ import annotations

from torch import Tensor, nn

from gentk.interfaces import Critic, Features, ImageShape, Scores
from gentk.limits import at_least, square_of
from gentk.spectral import normalised

from .orthogonal import Start, initialise, penalty_of
from .plans import SIDES
from .trunk import Trunk

__all__ = ["BigGANCritic"]


class BigGANCritic(Critic):
    """s_x = w^T F(x) + b, F(x) the pooled features of residual blocks without norms.

    With `classes`, s_x = w^T F(x) + b + v_y^T F(x), v_y the embedding of the class: the projection of
    Miyato and Koyama, 2018, arXiv:1802.05637. Without them it is not built.

    Args:
        image: Shape of the images: squares of 32, 64, 128 or 256 px.
        latent: Dimension of z, which it does not look at.
        width: The unit of channels; BigGAN has 96 at 128 px and 64 at 32.
        classes: Number of classes it looks at, those of the generator; 0 for none.
        attention: Side of the map that self-attention follows, in pixels; 0 for none.
        spectral: Whether maps are spectrally normalised.
        eps: Of spectral normalisation; the ImageNet scripts have 1e-6.
        start: First weights: `orthogonal`, or `normal`, N(0, 0.02^2). Biases are 0.
        orthogonal: Strength of the orthogonal regularisation.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If an option is out of range.

    Source: Brock, Donahue and Simonyan, Large Scale GAN Training for High Fidelity Natural Image
    Synthesis, 2019, arXiv:1809.11096, and its author's code.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int,
        width: int = 64,
        classes: int = 0,
        attention: int = 64,
        spectral: bool = True,
        eps: float = 1e-12,
        start: Start = "orthogonal",
        orthogonal: float = 0.0,
    ) -> None:
        super().__init__()
        owner = "critic 'biggan'"
        side = square_of(owner, image, SIDES, "--critic fhj,trunk=mlp,scores=x")
        at_least(1, owner, {"width": width})
        at_least(0, owner, {"attention": attention, "classes": classes})
        self.image = image
        self.orthogonal = orthogonal
        self.trunk = Trunk(
            side=side,
            channels=image.channels,
            width=width,
            attention=attention,
            spectral=spectral,
            eps=eps,
        )
        self.last = normalised(nn.Linear(self.trunk.size, 1), spectral, eps)
        self.classes = classes
        self.embedding: nn.Embedding | None = None
        if classes:
            self.embedding = normalised(nn.Embedding(classes, self.trunk.size), spectral, eps)
        initialise(self, start)

    def forward(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> Scores:
        """Return the score `x` of `images` (N, C, H, W) in [-1, 1] and `labels` (N,)."""
        return self.judge(images, latents, labels)[0]

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return the score `x`, and F(x), the pooled features, as `x`."""
        features = self.trunk(images)
        score = self.last(features)[:, 0]
        if self.embedding is not None:
            score = score + (self.embedding(labels) * features).sum(1)
        return {"x": score}, {"x": features}

    def penalty(self) -> dict[str, Tensor]:
        """Return the orthogonal regularisation, `orthogonal`, if there is any."""
        return penalty_of(self, self.orthogonal)
