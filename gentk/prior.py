"""Priors: the distribution that a generator's latents are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

__all__ = ["Prior"]


@dataclass(frozen=True)
class Prior:
    """Independent coordinates of one law.

    Attributes:
        law: `normal`, N(0, 1), or `uniform`, U(-1, 1).
        dimension: Number of coordinates of a latent.
    """

    law: Literal["normal", "uniform"] = "normal"
    dimension: int = 100

    def draw(self, count: int, device: torch.device | str = "cpu") -> Tensor:
        """Draw `count` latents, (count, dimension) float32, from torch's global random state."""
        shape = (count, self.dimension)
        if self.law == "normal":
            return torch.randn(shape, device=device)
        return torch.rand(shape, device=device) * 2 - 1
