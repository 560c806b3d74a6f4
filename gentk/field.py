"""Fields: losses that say where each sample's features should go, rather than how far they are.

With V a field in feature space, evaluated at the features z_1..z_N of a batch and held constant,

    L = factor / N sum_i |z_i / unit - sg(z_i / unit + eta V(z_i))|^2

whose gradient in z_i is -2 factor eta V(z_i) / (N unit): a step of the generator moves samples along
V. The value is factor eta^2 mean |V|^2. V needs no slope, so whatever it is made of (a matching of
samples, a Cholesky factor, an assignment) is never differentiated.

Source: M. Deng, H. Li, T. Li, Y. Du, K. He, "Generative Modeling via Drifting", 2026,
arXiv:2602.04770, for the form; the field of a kernel or of a density is older.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from .interfaces import Features, MatchingLoss, StatisticKind, Statistics
from .interfaces.promise import described, promises
from .precision import double
from .summary import Samples, Summary, pooled

__all__ = ["Field", "FieldLoss"]


@dataclass(frozen=True)
class Field:
    """V at the samples of a batch.

    Attributes:
        velocity: V, (N, D), in units of `unit`.
        unit: What features are divided by, a scalar.
        factor: What the term is multiplied by.
        norms: What to watch of it by name, scalars, such as its size before it was normalised.
    """

    velocity: Tensor
    unit: Tensor | float = 1.0
    factor: float = 1.0
    norms: Mapping[str, Tensor] = field(default_factory=dict)


def _direction(loss: Any, value: object, given: tuple[Any, ...]) -> tuple[str, str] | None:
    """V of each feature: broadcast, its gradient would be that of something else."""
    velocity = value.velocity if isinstance(value, Field) else value
    if not given or (isinstance(velocity, Tensor) and velocity.shape == given[0].shape):
        return None
    shape = tuple(given[0].shape)
    found = f"{described(velocity)} for features of {shape}"
    return found, f"return V of the shape of z, {shape}, alone or in a Field"


def _directions(loss: Any, values: object, given: tuple[Any, ...]) -> tuple[str, str] | None:
    """A field of each part."""
    parts: Sequence[Any] | None = given[0] if given else None
    fields = isinstance(values, list) and all(isinstance(value, Field) for value in values)
    if not isinstance(values, list) or not fields or (parts and len(values) != len(parts)):
        return described(values), "return a list of Fields, one for each of the parts"
    faults = (_direction(loss, *row) for row in zip(values, parts or (), strict=False))
    return next(filter(None, faults), None)


class FieldLoss(MatchingLoss):
    """|z - sg(z + eta V(z))|^2 with a field V that a subclass gives, between two sets of samples.

    A subclass has `field`, and options of its own; it may set the attributes below in its constructor.
    Its data are a fresh minibatch a step, and an estimator of samples (`queue`) may put earlier samples
    before the batch's. One that follows other statistics than samples overrides `kinds`, `statistics`
    and `reference`, and `summarise_data` with `data_summary` for data that are streamed.

    Attributes:
        eta: How far along V a target lies.
        layers: `each` takes V of every layer by itself, and their terms add up; `joint` of all side by
            side.
        pool: `mean` averages features over positions; `none` takes every position as features of
            its own.
    """

    summary: ClassVar[type[Summary]] = Samples
    targets = True

    eta: float = 1.0
    layers: Literal["each", "joint"] = "each"
    pool: Literal["mean", "none"] = "mean"

    @promises(_direction)
    @abstractmethod
    def field(self, z: Tensor, data: Statistics, model: Statistics) -> Tensor | Field:
        """Return V at each of z, (N, D), computed without a graph.

        Args:
            z: Features of the batch, (N, D).
            data: The data's statistics and constants; `samples` (M, D).
            model: The model's, as they are tracked; `samples` (n + N, D) ends with the batch. After an
                estimator that keeps n earlier ones there are `weights` (n + N,), which add up to one,
                and `past` (n,), too.

        With layers=each it is called once a layer, with the columns of that layer in every set of
        samples.
        """

    @promises(_directions)
    def fields(self, parts: Sequence[tuple[Tensor, Statistics, Statistics]]) -> list[Field]:
        """Return V of each of the parts, see `parts`: all layers at once, for who can do so in fewer
        calls.
        """
        values = [self.field(*part) for part in parts]
        return [Field(value) if isinstance(value, Tensor) else value for value in values]

    def kinds(self) -> dict[str, StatisticKind]:
        """Return `samples`."""
        return {"samples": "samples"}

    def summarise(
        self, features: Features, like: Summary | None = None, labels: Tensor | None = None
    ) -> Samples:
        """Return the features of one chunk, pooled if so asked, and the class of each if there is
        one.
        """
        kept = Samples.of(pooled(features) if self.pool == "mean" else features)
        return kept if labels is None else replace(kept, labels=labels.argmax(1))

    def statistics(self, summary: Summary) -> Statistics:
        """Return `samples`, (N, D), as they are."""
        assert isinstance(summary, Samples)
        return {"samples": summary.rows}

    def reference(self, summary: Summary) -> Statistics:
        """Return the data's statistics and the `sizes` of layers (int64, CPU)."""
        assert isinstance(summary, Samples)
        return {**self.statistics(summary), "sizes": torch.tensor(summary.sizes)}

    def parts(
        self, data: Statistics, model: Statistics
    ) -> list[tuple[Tensor, Statistics, Statistics]]:
        """Return features of the batch, and both sides' statistics, of all that has a V of its own."""
        sides = data, model
        # One layer is not cut: its gradient would be copied.
        if self.layers == "each" and len(data["sizes"]) > 1:
            sizes: list[int] = data["sizes"].tolist()
            rows = [
                side["samples"].split(sizes, dim=1) if "samples" in side else None for side in sides
            ]
            split = [
                [{**side, "samples": part} for part in own] if own else [side] * len(sizes)
                for side, own in zip(sides, rows, strict=True)
            ]
        else:
            split = [[side] for side in sides]
        past = len(model.get("past", ()))
        return [(ours["samples"][past:], theirs, ours) for theirs, ours in zip(*split, strict=True)]

    def compare(
        self, data: Statistics, model: Statistics
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the term `field`, and the norms, of which layers have the root of the mean square."""
        parts = self.parts(data, model)
        with torch.no_grad():
            values = self.fields(parts)
        terms = [_drawn(z, v, self.eta) for (z, _, _), v in zip(parts, values, strict=True)]
        seen = _over_layers([value.norms for value in values])
        return {"field": terms[0] if len(terms) == 1 else torch.stack(terms).sum()}, seen

    def forward(self, data: Statistics, model: Statistics) -> dict[str, Tensor]:
        """Return the term `field`, a scalar."""
        return self.compare(data, model)[0]

    def fingerprint(self) -> str:
        """Return what is summarised: features, pooled or not."""
        return f"samples-1 pool={self.pool}"


def _over_layers(norms: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the root of the mean square over layers of each norm, float64."""
    names = list(norms[0])
    if not names:
        return {}
    rows = torch.stack([layer[name] for layer in norms for name in names]).view(-1, len(names))
    return dict(zip(names, double(rows).square().mean(0).sqrt().unbind(), strict=True))


def _drawn(z: Tensor, value: Field, eta: float) -> Tensor:
    """Return factor mean_i |z_i / unit - sg(z_i / unit + eta V_i)|^2, a scalar in V's type."""
    term: Tensor = _Drawn.apply(z, value.velocity, value.unit, value.factor, eta)
    return term


class _Drawn(torch.autograd.Function):
    """By the formula of its value, factor eta^2 mean |V|^2: no large numbers are subtracted."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, velocity: Tensor, unit: Tensor | float, factor: float, eta: float
    ) -> Tensor:
        ctx.slope = -2 * factor * eta / len(z)
        ctx.unit, ctx.type = unit, z.dtype
        ctx.save_for_backward(velocity)
        flat = velocity.flatten()
        return flat.dot(flat) * (factor * eta**2 / len(z))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        (velocity,) = ctx.saved_tensors
        slope = velocity * (grads[0] * ctx.slope / ctx.unit)
        return slope.to(ctx.type), None, None, None, None
