"""The sliced Wasserstein distance: transport along lines, where it is a matter of sorting.

    SW^2 = mean over directions t of W_2^2({t'x_i}, {t'y_j})

On a line the i-th smallest sample goes to the i-th smallest of the data; with other numbers of the
two, or with weights, to the data's value at the same share of the whole. Directions are random and
fixed: what is orthogonal to all of them goes unseen, so there should be as many as there are features.

Source: N. Bonneel, J. Rabin, G. Peyre, H. Pfister, "Sliced and Radon Wasserstein Barycenters of
Measures", Journal of Mathematical Imaging and Vision, 2015.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from gentk.errors import BadOption
from gentk.interfaces import Features, MatchingLoss, StatisticKind, Statistics
from gentk.seed import check_seed
from gentk.summary import Samples, Summary, check_tensors, pooled

__all__ = ["Sliced", "sliced_wasserstein"]


class Sliced(MatchingLoss):
    """Squared sliced 2-Wasserstein distance of a batch from a minibatch of the data.

    Args:
        projections: How many directions; with layers=each, of every layer.
        layers: `each` adds up the distances of layers; `joint` takes all layers as one vector.
        pool: `mean` averages features over positions; `none` takes every position as features of its
            own.
        seed: Of the directions.
    """

    summary: ClassVar[type[Summary]] = Samples

    def __init__(
        self,
        *,
        projections: int = 256,
        layers: Literal["each", "joint"] = "each",
        pool: Literal["mean", "none"] = "mean",
        seed: int = 0,
    ) -> None:
        check_seed(seed, "loss 'sliced': seed")
        if projections < 1:
            raise BadOption(
                f"loss 'sliced': projections is 1 or more, not {projections}; write projections=256"
            )
        self.projections = projections
        self.layers = layers
        self.pool = pool
        self.seed = seed
        self.directions: dict[tuple[int, int], Tensor] = {}

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `samples`."""
        return {"samples": "samples"}

    def summarise(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Samples:
        """Return the features of one chunk, pooled if so asked."""
        return Samples.of(pooled(features) if self.pool == "mean" else features)

    def statistics(self, summary: Summary) -> Statistics:
        """Return `samples`, (N, D), as they are."""
        assert isinstance(summary, Samples)
        return {"samples": summary.rows}

    def reference(self, summary: Summary) -> Statistics:
        """Return the data's samples and the `sizes` of layers (int64, CPU)."""
        assert isinstance(summary, Samples)
        sizes = summary.sizes if self.layers == "each" else [sum(summary.sizes)]
        return {**self.statistics(summary), "sizes": torch.tensor(sizes)}

    def forward(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return the term `sliced`, a scalar."""
        sizes: list[int] = data["sizes"].tolist()
        sides = model["samples"], data["samples"]
        # One layer is not cut: its gradient would be copied.
        parts = [rows.split(sizes, dim=1) if len(sizes) > 1 else (rows,) for rows in sides]
        values = [
            sliced_wasserstein(x, y, self._along(index, x), model.get("weights"))
            for index, (x, y) in enumerate(zip(*parts, strict=True))
        ]
        return {"sliced": torch.stack(values).sum()}

    def fingerprint(self) -> str:
        """Return what is summarised: features, pooled or not."""
        return f"samples-1 pool={self.pool}"

    def _along(self, index: int, rows: Tensor) -> Tensor:
        """Return the directions of a layer, (D, projections), made once."""
        key = index, rows.shape[1]
        held = self.directions.get(key)
        if held is None or held.device != rows.device or held.dtype != rows.dtype:
            draw = torch.Generator().manual_seed(self.seed + index)
            normal = torch.randn(rows.shape[1], self.projections, generator=draw)
            held = (normal / normal.norm(dim=0)).to(rows)
            self.directions[key] = held
        return held


def sliced_wasserstein(
    x: Tensor, y: Tensor, directions: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Return the mean over directions of W_2^2 along each, a scalar, differentiable in x and y.

    Args:
        x: (N, D).
        y: (M, D); each weighs 1 / M.
        directions: (D, L), of length 1.
        weights: Of x, (N,), which add up to one; None for equal ones.
    """
    check_tensors(
        "sliced_wasserstein",
        x=(x, "N D"),
        y=(y, "M D"),
        directions=(directions, "D L"),
        weights=(weights, "N"),
    )
    # A direction a row: what is sorted lies side by side.
    along = directions.T @ x.T
    # A critic moves the data's features too, so that goals may have a gradient.
    goals = (directions.T @ y.T).sort(1).values
    order = along.detach().argsort(1)
    if weights is not None:
        own = weights.detach().to(along)[order]
        middle = own.cumsum(1) - own / 2
        places = (middle * len(y)).floor().long().clamp(0, len(y) - 1)
        wanted = goals.gather(1, places)
    elif len(x) == len(y):
        wanted = goals
    else:
        middle = (torch.arange(len(x), device=x.device) + 0.5) * (len(y) / len(x))
        wanted = goals[:, middle.floor().long()]
    targets = torch.empty_like(along).scatter_(1, order, wanted)
    if weights is None:
        return mse_loss(along, targets)
    squares = (along - targets).square()
    return weights.to(squares).dot(squares.mean(0))
