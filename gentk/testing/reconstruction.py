"""Checks of reconstruction losses."""

from __future__ import annotations

import torch
from torch import Tensor

from ..interfaces import ImageShape, Range, ReconstructionLoss, total
from .likeness import difference
from .network import random_images
from .suite import Suite, skip

__all__ = ["ReconstructionChecks", "image_pair"]

SHAPE = ImageShape(3, 8, 8)


class ReconstructionChecks(Suite):
    """A distance of images: smallest for the image itself, a mean over images."""

    def reconstructing(self) -> ReconstructionLoss:
        """Return the loss; skip the check if it is another kind of loss."""
        loss = self.make()
        if not isinstance(loss, ReconstructionLoss):
            skip("it is no ReconstructionLoss")
        return loss

    def test_an_image_is_nearest_to_itself(self) -> None:
        """No reconstruction is better than the image."""
        loss = self.reconstructing()
        images, reconstruction = image_pair(loss.range)
        with torch.no_grad():
            near, far = (float(total(loss(images, other))) for other in (images, reconstruction))
        assert near < far, f"it is {near:.4g} for the image and {far:.4g} for another"

    def test_gradient_reaches_the_reconstruction(self) -> None:
        """It has a finite gradient in the reconstruction, and not zero everywhere."""
        loss = self.reconstructing()
        images, reconstruction = image_pair(loss.range)
        value = total(loss(images, reconstruction.requires_grad_()))
        [slope] = torch.autograd.grad(value, reconstruction, allow_unused=True)
        assert slope is not None, "it is cut off from the reconstruction"
        assert slope.isfinite().all() and slope.any(), "the gradient is zero or not finite"

    def test_reconstruction_terms_are_means(self) -> None:
        """The terms of a batch are the means of those of its halves: chunks accumulate."""
        loss = self.reconstructing()
        images, reconstruction = image_pair(loss.range)
        whole = loss(images, reconstruction)
        halves = [
            loss(*pair) for pair in zip(images.split(2), reconstruction.split(2), strict=True)
        ]
        for name, value in whole.items():
            mean = torch.stack([half[name] for half in halves]).mean()
            gap = difference(value, mean)
            assert gap < 1e-4, f"{name} is not the mean over images (relative {gap:.1e})"


def image_pair(have: Range, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return four images and four others, inside the range."""
    images = random_images(SHAPE, have, 4)
    draw = torch.Generator().manual_seed(seed + 1)
    other = torch.rand(images.shape, generator=draw) * 0.8 + 0.1
    return images, other if have == "unit" else other * 2 - 1
