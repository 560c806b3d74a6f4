"""Differentiable augmentation: a critic that sees both sides through random transformations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gentk.errors import BadOption, Incompatible, did_you_mean
from gentk.interfaces import Critic, Features, ImageShape, Scores
from gentk.ranges import to_range

__all__ = ["POLICIES", "AugmentedCritic"]


def _drawn(images: Tensor) -> Tensor:
    """Return a number in [0, 1) for each image, (N, 1, 1, 1)."""
    return torch.rand(len(images), 1, 1, 1, dtype=images.dtype, device=images.device)


def _colour(images: Tensor) -> Tensor:
    """Change brightness, saturation and contrast, in this order."""
    images = images + (_drawn(images) - 0.5)
    grey = images.mean(1, keepdim=True)
    images = (images - grey) * (2 * _drawn(images)) + grey
    middle = images.mean((1, 2, 3), keepdim=True)
    return (images - middle) * (_drawn(images) + 0.5) + middle


def _places(images: Tensor, least: int, most: int) -> Tensor:
    """Return a whole number from `least` to `most` for each image, (N, 1)."""
    return torch.randint(least, most + 1, (len(images), 1), device=images.device)


def _translation(images: Tensor) -> Tensor:
    """Shift by up to an eighth of a side; what comes in is grey."""
    count, _, height, width = images.shape
    down, right = round(height / 8), round(width / 8)
    rows = torch.arange(height, device=images.device) + _places(images, -down, down)
    columns = torch.arange(width, device=images.device) + _places(images, -right, right)
    # A border of one pixel stands for all that lies outside.
    padded = F.pad(images, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    rows, columns = (rows + 1).clamp(0, height + 1), (columns + 1).clamp(0, width + 1)
    which = torch.arange(count, device=images.device)[:, None, None]
    return padded[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cutout(images: Tensor) -> Tensor:
    """Make a rectangle of half of each side grey, as far as it lies within the image."""
    _, _, height, width = images.shape
    tall, wide = round(height / 2), round(width / 2)
    top = _places(images, 0, height - tall % 2) - tall // 2
    left = _places(images, 0, width - wide % 2) - wide // 2
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    within = ((rows >= top) & (rows < top + tall))[:, :, None]
    within = within & ((columns >= left) & (columns < left + wide))[:, None, :]
    return images.masked_fill(within[:, None], 0.0)


POLICIES: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "color": _colour,
    "translation": _translation,
    "cutout": _cutout,
}
"""Name -> the transformation of images (N, C, H, W) in [-1, 1], another one for each image."""


class AugmentedCritic(Critic):
    """D(T(x), z): the critic D sees the data and the samples through random transformations T.

    T is differentiable, so that the generator learns through it, and drawn anew for every image and
    pass, on both sides alike: a critic with little data cannot learn it by heart, and samples do not
    take up the transformations. After training T is the identity.

        color         x + U(-1/2, 1/2), saturation times U(0, 2), contrast times U(1/2, 3/2)
        translation   by up to an eighth of a side, grey where nothing was
        cutout        a square of half a side is grey

    A penalty on the critic's gradient is taken through T too. What a critic summarises of a side by
    itself (`Critic.summarise_side`) would not pass through T, so such a critic is refused.

    Args:
        critic: D. It is written as anywhere, in quotes if it has options:
            `augmented:"fhj,width=8",policy=color+cutout`.
        image: Shape of the images, which is D's.
        latent: Dimension of z, which D knows.
        policy: The transformations, in order: `color`, `translation`, `cutout`.

    Raises:
        BadOption: There is no such transformation, or one twice.
        Incompatible: D cannot be augmented.

    Source: S. Zhao, Z. Liu, J. Lin, J.-Y. Zhu, S. Han, Differentiable Augmentation for Data-Efficient
    GAN Training, 2020, arXiv:2006.10738.
    """

    def __init__(
        self,
        critic: Critic,
        *,
        image: ImageShape,
        latent: int,
        policy: tuple[str, ...] = ("color", "translation", "cutout"),
    ) -> None:
        super().__init__()
        for name in policy:
            if name not in POLICIES:
                hint = did_you_mean(name, POLICIES)
                raise BadOption(
                    f"critic 'augmented' has no policy {name!r}; {hint}write policy="
                    f"{'+'.join(POLICIES)}, or some of these"
                )
            if policy.count(name) > 1:
                raise BadOption(
                    f"policy {name!r} of critic 'augmented' stands twice; write it once"
                )
        if type(critic).summarise_side is not Critic.summarise_side:
            raise Incompatible(
                f"a {type(critic).__name__} summarises images by itself, so that it would not see them "
                "augmented; type its name without augmented: before it"
            )
        self.critic = critic
        self.policy = policy
        self.image, self.range = self.critic.image, self.critic.range
        self.pairs, self.classes = self.critic.pairs, self.critic.classes

    def judge(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> tuple[Scores, Features]:
        """Return D's scores and features of one draw of T."""
        return self.critic.judge(self.augmented(images), latents, labels)

    def augmented(self, images: Tensor) -> Tensor:
        """Return T(x) in training, x otherwise, in the critic's range."""
        if not self.training or not self.policy:
            return images
        images = to_range(images, self.range, "signed")
        for name in self.policy:
            images = POLICIES[name](images)
        return to_range(images, "signed", self.range)

    def clamped(self) -> Iterator[nn.Parameter]:
        """Return the weights of D that a clamp covers."""
        return self.critic.clamped()

    def penalty(self) -> dict[str, Tensor]:
        """Return D's terms on its own weights."""
        return self.critic.penalty()
