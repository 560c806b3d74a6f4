"""Priors: the distribution that a generator's latents are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from .errors import BadOption, Incompatible

__all__ = ["BOUND", "Law", "Prior"]

Law = Literal["normal", "uniform", "truncated"]
"""`normal`, N(0, 1); `uniform`, U(-1, 1); `truncated`, N(0, 1) given that |z| <= bound."""

BOUND = 2.0
"""The bound of a truncated law if nobody says another."""


@dataclass(frozen=True)
class Prior:
    """Independent coordinates of one law and, of a conditional generator, a class.

    The class stands behind z as a one-hot row, all classes equally likely: a latent is then (z, y), and
    whatever draws, keeps or interpolates latents does so for conditional generators too.

    Attributes:
        law: The law of a coordinate.
        dimension: Number of coordinates of z.
        bound: Of a truncated law: the largest |z|.
        classes: Number of classes; 0 for an unconditional generator.
    """

    law: Law = "normal"
    dimension: int = 100
    bound: float = BOUND
    classes: int = 0

    def __post_init__(self) -> None:
        if not self.bound > 0:
            raise BadOption(f"a bound of {self.bound} leaves no latents; write {BOUND}")

    @property
    def reach(self) -> float:
        """Return the largest |z| of a coordinate."""
        return {"normal": math.inf, "uniform": 1.0, "truncated": self.bound}[self.law]

    @property
    def width(self) -> int:
        """Return the numbers that a latent is: coordinates, and one a class."""
        return self.dimension + self.classes

    def check(self, latents: Tensor) -> None:
        """Refuse what is no latents (N, dimension + classes) of floating point.

        Raises:
            Incompatible: It is not; the sentence says what is.
        """
        shape = tuple(latents.shape) if isinstance(latents, Tensor) else None
        if shape is not None and latents.is_floating_point() and shape[1:] == (self.width,):
            return
        behind = f", {self.dimension} and one a class" if self.classes else ""
        what = type(latents).__name__ if shape is None else f"{latents.dtype} of shape {shape}"
        raise Incompatible(
            f"latents are a tensor (N, {self.width}) of floating point{behind}, not {what}; draw "
            "some with latents(64)"
        )

    def draw(
        self, count: int, device: torch.device | str = "cpu", label: int | Tensor | None = None
    ) -> Tensor:
        """Draw latents, (count, dimension + classes) float32, from torch's global random state.

        Args:
            count: How many.
            device: Where to.
            label: The class of all of them, or of each, (count,) int64; drawn too without it.
        """
        z = self._coordinates(count, device)
        if not self.classes:
            return z
        labels = torch.randint(self.classes, (count,), device=device)
        if isinstance(label, Tensor):
            labels = label.to(labels)
        elif label is not None:
            labels = torch.full_like(labels, label)
        return torch.cat([z, one_hot(labels, self.classes).to(z.dtype)], dim=1)

    def balanced(self, count: int, device: torch.device | str = "cpu") -> Tensor:
        """Draw classes, (count,) int64, each equally often: to within one, in random order."""
        first = torch.randint(self.classes, (1,), device=device)
        order = torch.randperm(count, device=device)
        return (order + first) % self.classes

    def split(self, latents: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return z, (N, dimension), and the classes, (N,) int64, or None without any."""
        if not self.classes:
            return latents, None
        return latents[:, : self.dimension], latents[:, self.dimension :].argmax(1)

    def join(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return the latents of z, (N, dimension), and of classes, (N,) int64: undo `split`.

        Raises:
            Incompatible: The generator makes images of a class, and there are no labels.
        """
        if not self.classes:
            return z
        if labels is None:
            raise Incompatible(
                "the generator makes images of a class, and the data have no labels; add "
                "labels=FILE.npy or labels=kmeans:10:pixels to the data, or take classes= from the "
                "generator"
            )
        return torch.cat([z, one_hot(labels, self.classes).to(z.dtype)], dim=1)

    def _coordinates(self, count: int, device: torch.device | str) -> Tensor:
        shape = (count, self.dimension)
        if self.law == "normal":
            return torch.randn(shape, device=device)
        even = torch.rand(shape, device=device) * 2 - 1
        if self.law == "uniform":
            return even
        # The inverse of the distribution function: the law of drawing again until |z| <= bound.
        root = math.sqrt(2)
        inside = math.erf(self.bound / root)
        return (torch.erfinv(even * inside) * root).clamp_(-self.bound, self.bound)

    def truncated(self, bound: float) -> Prior:
        """Return the law of the same latents given that every |z| <= `bound`.

        Raises:
            BadOption: The bound is not above 0, or the law has no tails to cut off.
        """
        if self.law == "uniform":
            raise BadOption(
                "latents are uniform in [-1, 1] and have no tails to cut off; drop truncation"
            )
        if self.law == "truncated":
            bound = min(bound, self.bound)
        return replace(self, law="truncated", bound=bound)
