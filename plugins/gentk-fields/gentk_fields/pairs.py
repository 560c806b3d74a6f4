"""Fields of pairs: each sample is drawn to samples of the data and pushed away from those of the model.

For a batch x and targets t, which are the model's samples (also called negatives) and the data's, with
weights w and S features,

    scale = mean(d w) / mean(w),  d = |x_i - t_j|      (cost=quadratic: the root of the mean of d^2 w)
    force(x_i) = sum_j c_ij (t_j - x_i) / (scale / sqrt(S))

with coefficients c, above 0 for the data and below for the model, that follow from d / scale and a
dimensionless temperature. So neither the units nor the number of features matter, and temperatures of
0.02, 0.05 and 0.2 are those of the paper. Each temperature's force is divided by its root mean
square, and

    V = sum over temperatures of force / rms(force),    L = 1/S mean_i |x_i/u - sg(x_i/u + eta V(x_i))|^2

with the unit u = scale / sqrt(S). With one temperature L is eta^2 whatever is compared:
`observed/force`, the root mean square before the division, is what falls.

Source: arXiv:2602.04770 (drifting), its released code; see `gentk_fields.drift` and
`gentk_fields.coupling`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gentk.errors import BadOption
from gentk.field import Field, FieldLoss
from gentk.interfaces import StatisticKind, Statistics
from gentk.summary import Samples, Summary

__all__ = ["TEMPERATURES", "PairLoss", "Pairs"]

TEMPERATURES = (0.02, 0.05, 0.2)

FAR = 100.0
"""What is added to the scaled distance of a pair that is none: a sample and itself."""

NEVER = 1e9
"""The scaled distance of samples that never meet: of two classes."""

SMALLEST_SCALE, SMALLEST_FORCE = 1e-3, 1e-4
"""What scales and forces are divided by is no smaller."""

TOGETHER = 2**20
"""Pairs of several layers that are looked at together: of few of them what costs is calls."""


@dataclass(frozen=True)
class Pairs:
    """How far the samples of a batch are from those they are compared with, and who meets whom.

    Attributes:
        distances: (N, T), over their scale; or (L, N, T), of L layers that are looked at together.
        weights: w, (1, T) or (N, T); None where all are 1.
        allowed: (N, T), whether the two may meet; None where all may.
        negatives: How many targets push, the first ones; they are the model's, or are treated so.
    """

    distances: Tensor
    weights: Tensor | None
    allowed: Tensor | None
    negatives: int

    def weigh(self, values: Tensor) -> Tensor:
        """Return values (..., N, T) times the weights, 0 for those that may not meet."""
        if self.weights is not None:
            values = values * self.weights
        return values if self.allowed is None else values * self.allowed


@dataclass(frozen=True)
class Placed(Pairs):
    """The pairs of one layer, and where they are.

    Attributes:
        targets: (T, S), about their mean; the batch is among them.
        first: Which of them is the batch's first.
        products: <t_i, t_j>, (T, T); None where they would cost more than they save.
        unit: u, what coordinates are divided by, a scalar.
    """

    targets: Tensor
    first: int
    products: Tensor | None
    unit: Tensor

    def forces(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return what R forces are made of, (R, N, ...), and the sum of squares of each, (R,).

        They are made of themselves, (R, N, S), or with products of `weights`: see `velocity`.

        Args:
            weights: (R, N, T), of targets.
        """
        count = len(weights)
        rows = weights.flatten(0, 1)
        if self.products is None:
            made = (rows @ self.targets).view(count, -1, self.targets.shape[1])
            return made, torch.linalg.vector_norm(made, dim=(1, 2)).square()
        squares = (rows @ self.products).mul_(rows)
        # A sum of products may be below zero by its rounding.
        return weights, squares.view(count, -1).sum(1).clamp_(min=0)

    def velocity(self, made: Tensor, scales: Tensor) -> Tensor:
        """Return the sum of forces times their scales, (N, S).

        Args:
            made: What `forces` returned of them.
            scales: (R,).
        """
        mixed = (scales @ made.flatten(1)).view(made.shape[1:])
        return mixed if self.products is None else mixed @ self.targets


class PairLoss(FieldLoss):
    """A field of pairs; subclasses have `coefficients`.

    Attributes:
        temperatures: Dimensionless, each with a force of its own.
        quadratic: Whether the scale is the root of the mean square of distances.
        per_class: Whether only samples of one class meet.
        guidance: How much more the data of a class count than those of all, above 1: data of any class
            push with the weight (guidance - 1) n / m, with n the weight of all other samples of the
            class, those that an estimator kept among them, and m images.
        selves: What keeps a sample from pushing itself. `far`: it is 100 scaled distances away from
            itself;
            `masked`: the two never meet; `halves`: nor do all samples of its half of the batch, so that
            it is pushed by others that are independent of it.
    """

    summary: ClassVar[type[Summary]] = Samples
    watch = "force"

    temperatures: tuple[float, ...] = TEMPERATURES
    quadratic: bool = False
    per_class: bool = False
    guidance: float = 1.0
    selves: Literal["far", "masked", "halves"] = "far"

    def settle(
        self,
        owner: str,
        temperatures: tuple[float, ...],
        eta: float,
        layers: Literal["each", "joint"],
        pool: Literal["mean", "none"],
    ) -> None:
        """Take the options that all of them have; raise `BadOption` for values that cannot be."""
        if not temperatures or not all(0 < value < float("inf") for value in temperatures):
            raise BadOption(
                f"{owner}: temperatures are numbers above 0; write temperatures=0.02+0.05+0.2"
            )
        if not 0 < eta < float("inf"):
            raise BadOption(f"{owner}: eta is above 0, not {eta}; write eta=1")
        self.temperatures, self.eta, self.layers, self.pool = temperatures, eta, layers, pool

    @abstractmethod
    def coefficients(self, pairs: Pairs, temperature: float) -> Tensor:
        """Return c, (..., N, T): above 0 for the data, below 0 for negatives; a tensor of its own."""

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `samples` and, class by class, `labels`: both sets of the same samples."""
        kinds: dict[str, StatisticKind] = {"samples": "samples"}
        return kinds | {"labels": "samples"} if self.per_class else kinds

    def statistics(self, summary: Summary) -> Statistics:
        """Return `samples` (N, D) and, class by class, `labels` (N, 1), in the same type."""
        assert isinstance(summary, Samples)
        rows = summary.rows
        if not self.per_class:
            return {"samples": rows}
        assert summary.labels is not None
        return {"samples": rows, "labels": summary.labels.to(rows)[:, None]}

    def field(self, z: Tensor, data: Statistics, model: Statistics) -> Field:
        """Return V, the unit, and the size of forces before they were divided by it."""
        return self.fields([(z, data, model)])[0]

    def fields(self, parts: Sequence[tuple[Tensor, Statistics, Statistics]]) -> list[Field]:
        """Return the same of several layers.

        A force is a sum of targets: x is one of them, and its own coefficient is the rest to 0. So its
        size follows from the products of targets where these are few, and only the sum of forces is
        then made.
        """
        pairs = [self.pairs(*part) for part in parts]
        count = max(1, TOGETHER // pairs[0].distances.numel())
        fields: list[Field] = []
        for start in range(0, len(pairs), count):
            layers = pairs[start : start + count]
            first = layers[0]
            distances = torch.stack([layer.distances for layer in layers])
            whole = Pairs(distances, first.weights, first.allowed, first.negatives)
            every = [self.coefficients(whole, value) for value in self.temperatures]
            weights = torch.stack(every, dim=1)
            own = slice(first.first, first.first + weights.shape[-2])
            weights[..., own].diagonal(dim1=-2, dim2=-1).sub_(weights.sum(-1))
            forces = [layer.forces(mine) for layer, mine in zip(layers, weights, strict=True)]
            units = torch.stack([layer.unit for layer in layers])
            squares = torch.stack(
                [
                    square / (len(layer.distances) * layer.targets.shape[1])
                    for layer, (_, square) in zip(layers, forces, strict=True)
                ]
            )
            squares = squares / units.square()[:, None]
            scales = squares.clamp(min=SMALLEST_FORCE**2).rsqrt() / units[:, None]
            norms = self._norms(squares)
            for layer, (made, _), scale, norm in zip(layers, forces, scales, norms, strict=True):
                factor = 1 / layer.targets.shape[1]
                fields.append(Field(layer.velocity(made, scale), layer.unit, factor, norm))
        return fields

    def _norms(self, squares: Tensor) -> list[dict[str, Tensor]]:
        """Return the sizes of forces by name, of mean squares (L, R), for each layer."""
        names = ["force"]
        roots = squares.mean(1, keepdim=True).sqrt()
        if len(self.temperatures) > 1:
            names += [f"force/{value:g}" for value in self.temperatures]
            roots = torch.cat([roots, squares.sqrt()], dim=1)
        return [dict(zip(names, row.unbind(), strict=True)) for row in roots]

    def pairs(self, z: Tensor, data: Statistics, model: Statistics) -> Placed:
        """Return the pairs of a batch in one layer."""
        ours, theirs = model["samples"], data["samples"]
        own = slice(len(ours) - len(z), len(ours))
        targets = _centred([ours, theirs, theirs] if self.guided else [ours, theirs])
        # They have the batch's distances in them, and sizes of forces take T numbers a target rather
        # than S; but the sum of forces is then one more product.
        many, features = len(targets), z.shape[1]
        forces = len(self.temperatures) * len(z)
        cheap = many * features < forces * (features - many)
        products = _products(targets) if cheap else None
        distances = _distances(targets, own, products)
        weights = self._weights(data, model, own)
        allowed = self._allowed(data, model, own)
        scale = self._scale(distances, weights, allowed)
        distances /= scale.clamp(min=SMALLEST_SCALE)
        if self.selves == "far":
            distances[:, own].diagonal().add_(FAR)
        if allowed is not None:
            distances.masked_fill_(~allowed, NEVER)
        unit = (scale / z.shape[1] ** 0.5).clamp(min=SMALLEST_SCALE)
        negatives = len(targets) - len(theirs)
        return Placed(distances, weights, allowed, negatives, targets, own.start, products, unit)

    @property
    def guided(self) -> bool:
        """Whether data of any class push."""
        return self.per_class and self.guidance > 1

    def _allowed(self, data: Statistics, model: Statistics, own: slice) -> Tensor | None:
        """Return which of batch and targets may meet, (N, T); None where all may."""
        if not self.per_class and self.selves == "far":
            return None
        ours, theirs = model["samples"], data["samples"]
        if self.per_class:
            classes, labels = model["labels"], data["labels"].to(model["labels"])
            same = [classes[own] == classes.T, classes[own] == labels.T]
            same[1:1] = [torch.ones_like(same[1])] if self.guided else []
            allowed = torch.cat(same, dim=1)
        else:
            size = own.stop - own.start, len(ours) + len(theirs)
            allowed = torch.ones(size, dtype=torch.bool, device=ours.device)
        if self.selves == "masked":
            allowed[:, own].fill_diagonal_(False)
        elif self.selves == "halves":
            half = torch.arange(own.stop - own.start, device=ours.device) % 2
            allowed[:, own] &= half[:, None] != half
        return allowed

    def _weights(self, data: Statistics, model: Statistics, own: slice) -> Tensor | None:
        """Return the weights of targets, 1 on the average of the model's; None where all are 1."""
        tracked = model.get("weights")
        if tracked is None and not self.guided:
            return None
        ours, theirs = model["samples"], data["samples"]
        rows = ours.new_ones(1, len(ours))
        if tracked is not None:
            rows = (tracked * len(ours)).to(ours)[None]
        plain = ours.new_ones(1, len(theirs))
        if not self.guided:
            return torch.cat([rows, plain], dim=1)
        classes = model["labels"][own]
        count = len(classes)
        # What pushes of a sample's class, earlier samples too, but for itself.
        alike = (classes == model["labels"].T).to(ours)
        others = (alike * rows).sum(1, keepdim=True) - rows[0, own, None]
        pushing = plain * ((self.guidance - 1) / len(theirs) * others)
        return torch.cat([rows.expand(count, -1), pushing, plain.expand(count, -1)], dim=1)

    def _scale(self, distances: Tensor, weights: Tensor | None, allowed: Tensor | None) -> Tensor:
        """Return the weighted mean distance (or root of the mean square) over all pairs, a scalar."""
        power = 2 if self.quadratic else 1
        values = distances.square() if self.quadratic else distances
        if weights is None and allowed is None:
            return values.mean() ** (1 / power)
        w = values.new_ones(()) if weights is None else weights
        w = (w if allowed is None else w * allowed).expand_as(values)
        return ((values * w).sum() / w.sum()) ** (1 / power)


def _centred(parts: Sequence[Tensor]) -> Tensor:
    """Return rows of several tensors, one after another, about their mean."""
    sizes = [len(part) for part in parts]
    rows = parts[0].new_empty(sum(sizes), parts[0].shape[1])
    mean = torch.stack([part.sum(0) for part in parts]).sum(0) / len(rows)
    for part, place in zip(parts, rows.split(sizes), strict=True):
        torch.sub(part, mean, out=place)
    return rows


def _products(rows: Tensor) -> Tensor:
    """Return X X^T of rows X, (T, S) -> (T, T); a quarter of it is another's transpose, not made."""
    half = len(rows) // 2
    products = rows.new_empty(len(rows), len(rows))
    torch.mm(rows[:half], rows.T, out=products[:half])
    torch.mm(rows[half:], rows[half:].T, out=products[half:, half:])
    products[half:, :half] = products[:half, half:].T
    return products


def _distances(targets: Tensor, own: slice, products: Tensor | None) -> Tensor:
    """Return |t_i - t_j| of the batch and all targets, (N, T), of which squares are at least 1e-8."""
    if products is None:
        squares = targets.square().sum(1)
        t = torch.addmm(squares, targets[own], targets.T, alpha=-2)
    else:
        squares = products.diagonal()
        t = torch.add(squares, products[own], alpha=-2)
    return t.add_(squares[own, None]).clamp_(min=1e-8).sqrt_()
