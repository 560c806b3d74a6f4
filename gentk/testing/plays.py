"""Plays to try losses and penalties with: of given values, or of a small differentiable critic."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from ..interfaces import Critique, Play, Scores, Side

__all__ = ["Toy", "play_of", "tensors_of"]

COUNT = 8
"""Samples of a side."""


def play_of(
    data: Mapping[str, Any],
    model: Mapping[str, Any],
    *,
    critic: Critique | None = None,
    pairs: bool = True,
    share: float = 1.0,
) -> Play:
    """Return a play of two sides, each a dictionary of what may be asked for: `scores`, `images`, ...

    Args:
        data: Name -> value, or a function that makes it.
        model: Likewise.
        critic: What `play.critic` calls; None where it is not called.
        pairs: Whether the critic looks at latents.
        share: The part of the batch that this play is.
    """

    def noise(name: str, *shape: int, law: Literal["uniform", "normal"]) -> Tensor:
        return _noise(name, len(_rows(model)), shape, law)

    def absent(
        images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> Scores:
        raise AssertionError("play.critic is called, and there is none")

    sides = Side("data", data), Side("model", model)
    return Play(*sides, critic or absent, noise, share=share, pairs=pairs)


@dataclass(frozen=True)
class Toy:
    """A play of small tensors, with a graph from images and latents to scores and features.

    s_k = u_k tanh(A x) / 5 + v_k z / 10, features h = tanh(A x); the two sides differ in their means. To
    what the critic says tensors of zeros are added, `leaves`: the gradient there is that in the scores
    and features themselves.

    Attributes:
        scores: The scores there are.
        seed: Of all values.
        pairs: Whether the critic looks at latents.
        encoder: Whether there is one, and so what it makes.
        rows: The first of the samples, and the one after the last.
        dtype: Of all values.
        nudges: `SIDE/NAME` -> what is added to a score or a feature instead of zeros.
        device: Where they are; on `meta` there are shapes and no values.
    """

    scores: tuple[str, ...] = ("x",)
    seed: int = 0
    pairs: bool = True
    encoder: bool = True
    rows: tuple[int, int] = (0, COUNT)
    dtype: torch.dtype = torch.float32
    device: str = "cpu"
    nudges: Mapping[str, Tensor] = field(default_factory=dict)
    leaves: dict[str, dict[str, Tensor]] = field(default_factory=lambda: {"data": {}, "model": {}})

    def play(self, graphs: Collection[str] = ("data", "model")) -> Play:
        """Return the play; what was there of `leaves` is made anew.

        Args:
            graphs: The sides whose images and latents, and what is made of them, are in the graph.
        """
        sides = {name: self._side(name, name in graphs) for name in ("data", "model")}

        def noise(name: str, *shape: int, law: Literal["uniform", "normal"]) -> Tensor:
            return self._put(_noise(name, COUNT, shape, law)[slice(*self.rows)])

        share = (self.rows[1] - self.rows[0]) / COUNT
        return Play(
            sides["data"],
            sides["model"],
            self.critic,
            noise,
            share=share,
            pairs=self.pairs,
            weights=list(self.weights.values()),
        )

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The critic's weights, which ask for a gradient."""
        shapes = {"A": (48, 6)} | {f"u {name}": (6,) for name in self.scores}
        shapes |= {f"v {name}": (5,) for name in self.scores if name != "x"}
        return {name: self._drawn(name, *shape).requires_grad_() for name, shape in shapes.items()}

    def critic(
        self, images: Tensor, latents: Tensor | None = None, labels: Tensor | None = None
    ) -> Scores:
        """Return scores of images (N, 3, 4, 4) and latents (N, 5)."""
        hidden = torch.tanh(images.flatten(1) @ self.weights["A"])
        scores = {}
        for name in self.scores:
            score = 0.2 * (hidden @ self.weights[f"u {name}"])
            if latents is not None and name != "x":
                score = score + 0.1 * (latents @ self.weights[f"v {name}"])
            scores[name] = score
        return scores

    def _side(self, name: str, graph: bool) -> Side:
        shift = 0.2 if name == "data" else -0.2

        def rows(value: str, *shape: int) -> Tensor:
            whole = self._drawn(f"{name} {value}", COUNT, *shape)
            return (0.5 * whole + shift)[slice(*self.rows)].requires_grad_(graph)

        images, latents = rows("images", 3, 4, 4), rows("latents", 5)
        hidden = torch.tanh(images.flatten(1) @ self.weights["A"])
        said = {**self.critic(images, latents if self.pairs else None), "hidden": hidden}
        leaves = {
            key: self.nudges.get(f"{name}/{key}", torch.zeros_like(value)).requires_grad_()
            for key, value in said.items()
        }
        self.leaves[name].clear()
        self.leaves[name].update(leaves)
        seen = {key: value + leaves[key] for key, value in said.items()}
        values: dict[str, Any] = {
            "images": images,
            "labels": torch.arange(COUNT, device=self.device)[slice(*self.rows)] % 2,
            "scores": {key: seen[key] for key in self.scores},
            "features": {"hidden": seen["hidden"]},
        }
        if self.encoder or name == "model":
            values["latents"] = latents
        if self.encoder:
            values["reconstruction"] = rows("reconstruction", 3, 4, 4)
            values["inversion"] = rows("inversion", 5)
        return Side(name, values)

    def _drawn(self, name: str, *shape: int) -> Tensor:
        return self._put(_noise(f"{self.seed} {name}", shape[0], shape[1:], "normal") * 0.7)

    def _put(self, value: Tensor) -> Tensor:
        if self.device == "meta":
            return torch.empty(value.shape, dtype=self.dtype, device=self.device)
        return value.to(self.dtype).to(self.device)


def tensors_of(side: Side) -> Iterator[Tensor]:
    """Yield all tensors of a side."""
    for name in ("images", "latents", "scores", "features", "reconstruction", "inversion"):
        value = getattr(side, name)
        yield from value.values() if isinstance(value, dict) else [value]


def _noise(
    name: str, count: int, shape: tuple[int, ...], law: Literal["uniform", "normal"]
) -> Tensor:
    draw = torch.Generator().manual_seed(sum(ord(c) * 31**i for i, c in enumerate(name)) % 2**63)
    make = torch.rand if law == "uniform" else torch.randn
    return make(count, *shape, generator=draw)


def _rows(side: Mapping[str, Any]) -> Tensor:
    """Return a value of a side with one row a sample."""
    for value in side.values():
        if isinstance(value, Tensor):
            return value
        if isinstance(value, Mapping) and value:
            return _rows(value)
    raise AssertionError("the model's side has no value")
