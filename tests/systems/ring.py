"""A ring of eight Gaussians in the plane, and how a system is trained on it.

A point is an image of one pixel and two channels. A system is given by keys of a recipe and trained as
any run is: through the registry, its family and the one loop. Only the data have no name, since no
picture has two channels: they are put where runs open theirs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import gentk
from gentk.data import ImageSet, MemoryPixels

__all__ = ["MODES", "System", "apart", "recovered", "ring", "trained"]

MODES, RADIUS, SIGMA = 8, 0.6, 0.04
COUNT = 4000


@dataclass(frozen=True)
class System:
    """A system on the ring.

    Attributes:
        keys: The keys of a recipe that make it what it is, over those that all share.
        steps: Budget.
        modes: How many of the eight it must recover.
        near: The least share of its samples that lie near a mode; of one Gaussian with the ring's
            moments it is 0.21, and all modes seem to be there.
        why: If modes are below seven, or the share below a half: why that is so.
    """

    keys: dict[str, Any]
    steps: int = 500
    modes: int = 7
    near: float = 0.5
    why: str = ""
    shared: dict[str, Any] = field(
        default_factory=lambda: {
            "generator": "mlp,latent=2,widths=64+64,output=tanh",
            "critic": "mlp,widths=128+128",
            "batch": 128,
            "optimizer": "adam,lr=2e-3,betas=0.5+0.9",
            "decay": "linear",
            "ema": 0.98,
            "device": "cpu",
            "threads": 1,
            "observers": [],
        },
        repr=False,
    )


def ring(count: int = COUNT, seed: int = 7) -> Tensor:
    """Return points (count, 2) of N(m, SIGMA^2), m one of MODES points of a circle, all alike."""
    draw = torch.Generator().manual_seed(seed)
    angle = torch.randint(MODES, (count,), generator=draw) * (2 * math.pi / MODES)
    centres = RADIUS * torch.stack([angle.cos(), angle.sin()], dim=1)
    return centres + SIGMA * torch.randn(count, 2, generator=draw)


def recovered(points: Tensor, share: float = 0.02) -> tuple[int, float]:
    """Return how many modes have a share of the points within four deviations, and how many points do.

    Args:
        points: (N, 2).
        share: The least share, of the eighth that each mode should have, that counts.
    """
    angle = torch.arange(MODES) * (2 * math.pi / MODES)
    centres = RADIUS * torch.stack([angle.cos(), angle.sin()], dim=1)
    near = torch.cdist(points, centres) < 4 * SIGMA
    shares = near.float().mean(0)
    return int((shares >= share).sum()), float(shares.sum())


def apart(points: Tensor) -> tuple[float, float]:
    """Return how far mean and covariance of points (N, 2) are from the ring's, in units of its size.

    The ring's are 0 and (RADIUS^2 / 2 + SIGMA^2) I.
    """
    covariance = (RADIUS**2 / 2 + SIGMA**2) * torch.eye(2)
    return (
        float(points.mean(0).norm() / RADIUS),
        float((torch.cov(points.T) - covariance).norm() / covariance.norm()),
    )


def trained(system: System, folder: Path, count: int = 2000) -> Tensor:
    """Train a system in a folder and return points (count, 2) that it draws."""
    pixels = ((ring() + 1) / 2 * 255).round().clamp(0, 255).to(torch.uint8)
    images = ImageSet(MemoryPixels(pixels[:, :, None, None]), name="ring")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gentk.runs.composing.open_data", lambda *_: images)
        keys = {**system.shared, **system.keys}
        run = gentk.run("gfmn", **keys, steps=system.steps, out=str(folder / "run"))
        return run.sample(count).flatten(1) * 2 - 1
