"""The generator of BigGAN."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from gentk.interfaces import Generator, ImageShape
from gentk.limits import at_least, square_of
from gentk.prior import BOUND, Law, Prior
from gentk.spectral import normalised

from .attention import SelfAttention
from .norm import ConditionalNorm
from .orthogonal import Start, initialise, penalty_of
from .plans import GENERATOR, SIDES

__all__ = ["BigGANGenerator", "BigGANLayers", "UpBlock"]


class UpBlock(nn.Module):
    """A residual block that doubles the side, up(.) being nearest-neighbour upsampling.

    y = conv2(relu(norm2(conv1(up(relu(norm1(x))))))) + up(bypass(x)), the norms conditional, 3x3
    convolutions, and a 1x1 one as bypass, which commutes with upsampling.

    Args:
        before: Channels of x.
        after: Channels of y.
        condition: Dimension of what the norms depend on; 0 for nothing.
        spectral: Whether all maps are spectrally normalised.
        eps: Of batch norm.
    """

    def __init__(
        self, before: int, after: int, condition: int, *, spectral: bool, eps: float
    ) -> None:
        super().__init__()
        self.norm1 = ConditionalNorm(before, condition, spectral=spectral, eps=eps)
        self.conv1 = normalised(nn.Conv2d(before, after, 3, padding=1), spectral)
        self.norm2 = ConditionalNorm(after, condition, spectral=spectral, eps=eps)
        self.conv2 = normalised(nn.Conv2d(after, after, 3, padding=1), spectral)
        self.bypass = normalised(nn.Conv2d(before, after, 1), spectral)

    def forward(self, maps: Tensor, condition: Tensor | None) -> Tensor:
        """Return maps (N, after, 2H, 2W) for `maps` (N, before, H, W)."""
        main = self.conv1(_up(functional.relu(self.norm1(maps, condition))))
        main = self.conv2(functional.relu(self.norm2(main, condition)))
        doubled: Tensor = main + _up(self.bypass(maps))
        return doubled


class BigGANLayers(nn.Module):
    """The layers of BigGAN's generator, for one class or many.

    z is cut into as many chunks as there are blocks, and one more: the first makes the 4x4 map, each
    of the others conditions the norms of a block, together with an embedding of the class.

    Args:
        side: Side of the images, one of `SIDES`.
        channels: Channels of the images.
        latent: Dimension of z; with `skip` a multiple of the number of chunks.
        width: The unit of the plan.
        skip: Whether blocks are given chunks of z.
        embed: Dimension of the classes' embedding; 0 for none.
        classes: Number of classes; one means a constant.
        attention: Side of the map that attention follows; 0 for none.
        spectral: Whether all maps but the embedding are spectrally normalised.
        eps: Of batch norm.
    """

    def __init__(
        self,
        *,
        side: int,
        channels: int,
        latent: int,
        width: int,
        skip: bool = True,
        embed: int = 0,
        classes: int = 1,
        attention: int = 64,
        spectral: bool = True,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        widths = [width * factor for factor in GENERATOR[side]]
        self.chunk = latent // len(widths) if skip else latent
        condition = (self.chunk if skip else 0) + embed
        self.skip = skip
        self.embedding = nn.Embedding(classes, embed) if embed else None
        self.first = normalised(nn.Linear(self.chunk, 16 * widths[0]), spectral)
        self.blocks = nn.ModuleList(
            UpBlock(before, after, condition, spectral=spectral, eps=eps)
            for before, after in pairwise(widths)
        )
        self.attention = nn.ModuleDict(
            {
                str(number): SelfAttention(after, spectral=spectral)
                for number, after in enumerate(widths[1:])
                if 8 * 2**number == attention
            }
        )
        self.norm = nn.BatchNorm2d(widths[-1], eps=eps)
        self.last = normalised(nn.Conv2d(widths[-1], channels, 3, padding=1), spectral)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images (N, C, H, W) in [-1, 1] for `latents` (N, latent).

        Args:
            latents: z.
            labels: (N,) int64; class 0 without them.
        """
        chunks = latents.split(self.chunk, dim=1)
        maps = self.first(chunks[0]).unflatten(1, (-1, 4, 4))
        shared: list[Tensor] = []
        if self.embedding is not None:
            known = latents.new_zeros(len(latents), dtype=torch.long) if labels is None else labels
            shared = [self.embedding(known)]
        for number, block in enumerate(self.blocks):
            parts = [*shared, chunks[number + 1]] if self.skip else shared
            maps = block(maps, torch.cat(parts, dim=1) if parts else None)
            if str(number) in self.attention:
                maps = self.attention[str(number)](maps)
        images: Tensor = self.last(functional.relu(self.norm(maps)))
        return images.tanh()


EMBED = 128
"""Dimension of BigGAN's embedding of classes."""


class BigGANGenerator(Generator):
    """BigGAN's generator, without labels as a rule: residual blocks, each with a part of z.

    z is cut into equal chunks, one more than there are blocks: the first makes a 4x4 map by a linear
    map, each of the others sets gains and biases of the batch norms of a block (skip-z). Batch norm,
    ReLU, a 3x3 convolution and tanh make the image. Channels are BigGAN's. All maps are spectrally
    normalised.

    What stands in for the class is an option: nothing (`embed=0`, as StudioGAN), or an embedding of a
    single constant class beside the chunks (`embed=128`, as the released BigBiGAN); with `skip=false`
    and no embedding, batch norms are ordinary ones. With `classes`, it is an embedding of the class.

    Args:
        image: Shape of the images: squares of 32, 64, 128 or 256 px.
        latent: Dimension of z; with `skip`, rounded down to a multiple of the number of chunks (4 at
            32 px, 5, 6, 7 at the others).
        prior: Law of z: N(0, 1), U(-1, 1), or N(0, 1) truncated.
        bound: Of the truncated law, the largest |z|.
        width: The unit of channels; BigGAN has 96 at 128 px and 64 at 32.
        skip: Whether blocks are given chunks of z.
        embed: Dimension of the class's embedding; 0 for none. BigGAN's is 128, taken where
            there are classes and nothing is said.
        classes: Number of classes, which stand behind z in a latent; 0 for an unconditional generator.
        attention: Side of the map that self-attention follows, in pixels; 0 for none.
        spectral: Whether maps are spectrally normalised.
        eps: Added to variances by batch norm; the trained BigBiGAN has 1e-4.
        start: First weights: `orthogonal`, or `normal`, N(0, 0.02^2). Biases are 0.
        orthogonal: Strength of the orthogonal regularisation; the paper has 1e-4.
        standing: Batches over which the batch norms of a finished run are measured anew; BigGAN has 16.

    Raises:
        Incompatible: If the images have another size.
        BadOption: If an option is out of range.

    Source: Brock, Donahue and Simonyan, Large Scale GAN Training for High Fidelity Natural Image
    Synthesis, 2019, arXiv:1809.11096, and its author's code; unconditional use as in Donahue and
    Simonyan, 2019, arXiv:1907.02544.
    """

    def __init__(
        self,
        *,
        image: ImageShape,
        latent: int = 120,
        prior: Law = "normal",
        bound: float = BOUND,
        width: int = 64,
        skip: bool = True,
        embed: int | None = None,
        classes: int = 0,
        attention: int = 64,
        spectral: bool = True,
        eps: float = 1e-5,
        start: Start = "orthogonal",
        orthogonal: float = 0.0,
        standing: int = 0,
    ) -> None:
        super().__init__()
        owner = "generator 'biggan'"
        side = square_of(owner, image, SIDES, "--generator mlp")
        chunks = len(GENERATOR[side]) if skip else 1
        at_least(chunks, owner, {"latent": latent})
        at_least(1, owner, {"width": width})
        if embed is None:
            embed = EMBED if classes > 0 else 0
        counts = {"embed": embed, "classes": classes}
        at_least(0, owner, {**counts, "attention": attention, "standing": standing})
        if classes:
            at_least(1, f"{owner} with classes={classes}", {"embed": embed})
        self.image = image
        self.prior = Prior(prior, latent - latent % chunks, bound, classes)
        self.range = "signed"
        self.standing = standing
        self.orthogonal = orthogonal
        self.layers = BigGANLayers(
            side=side,
            channels=image.channels,
            latent=self.prior.dimension,
            width=width,
            skip=skip,
            embed=embed,
            classes=classes or 1,
            attention=attention,
            spectral=spectral,
            eps=eps,
        )
        initialise(self, start)

    def forward(self, latents: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [-1, 1] for `latents` (N, latent + classes)."""
        images: Tensor = self.layers(*self.prior.split(latents))
        return images

    def penalty(self) -> dict[str, Tensor]:
        """Return the orthogonal regularisation, `orthogonal`, if there is any."""
        return penalty_of(self, self.orthogonal)


def _up(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2, mode="nearest")
