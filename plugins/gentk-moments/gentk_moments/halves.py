"""Moments in two halves, with some rows: what a Frechet distance and its error are made of.

    all = rows 0, 2, 4, ... + rows 1, 3, 5, ...,    rows = R of all, drawn at random

Every other row goes to the other half, so that either has half of every class. Two sets of N and M rows
together keep R N / (N + M) of the first one's rows and R M / (N + M) of the second's, so that every row
of all has had the same chance, in whatever order they came: images are often sorted by class.

Rows wait until there are enough of them: a product of a few rows moves as much memory as one of many.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from gentk.interfaces import Features
from gentk.precision import double
from gentk.summary import MomentSums, Summary, check_layouts

__all__ = ["ROWS", "HalvedMoments"]

ROWS = 2048
"""R: how many rows are kept; the error of an error is then a few percent."""

NAMES = ("even", "odd")
"""What the halves are called where they are stored."""

ENOUGH = 1024
"""How many rows wait to be added up together."""


@dataclass(frozen=True)
class HalvedMoments(Summary):
    """Means and second moments of both halves of a set, and some of its rows.

    Attributes:
        pivot: What sums are taken about, (D,).
        layout: (layer, number of its features), in order.
        waiting: Chunks of rows that are in none of the others yet, (N, D), float32, float64 if features
            are.
        sums: Moments of the halves; none before there are any.
        rows: (R, D), or all rows if they are fewer; none if nobody asks for an error.
        ways: 2, or 1 where nobody asks for an error: all rows are in one half, and none are kept.
    """

    grows: ClassVar[bool] = False

    pivot: Tensor
    layout: tuple[tuple[str, int], ...]
    waiting: tuple[Tensor, ...]
    sums: tuple[MomentSums, ...]
    rows: Tensor
    ways: int = 2

    @classmethod
    def of(
        cls, features: Features, like: Summary | None = None, split: bool = True
    ) -> HalvedMoments:
        """Summarise one chunk.

        Args:
            features: Layer -> (N, D).
            like: A summary whose pivot to take; without one, the chunk's own mean.
            split: Keep halves and rows; without them all is in one half.
        """
        layout = tuple((name, value.shape[1]) for name, value in features.items())
        values = [v if v.dtype == torch.float64 else v.float() for v in features.values()]
        rows = torch.cat(values, dim=1)
        plain = rows.detach()
        pivot = like.pivot if isinstance(like, HalvedMoments) else plain.mean(0)
        return cls(pivot, layout, (rows,), (), plain[:0], 2 if split else 1)

    @property
    def count(self) -> int:  # type: ignore[override]
        """How many samples it has seen."""
        return self._added_up + self._length

    @property
    def _length(self) -> int:
        """How many rows wait."""
        return sum(map(len, self.waiting))

    @property
    def _added_up(self) -> int:
        """How many rows the sums are of."""
        return sum(half.count for half in self.sums)

    def halves(self) -> tuple[MomentSums, ...]:
        """Return the moments of both halves, or of all rows where there are none."""
        return self._added().sums

    def whole(self) -> MomentSums:
        """Return the moments of all rows."""
        return functools.reduce(operator.add, self.halves())

    def __add__(self, other: Summary) -> HalvedMoments:
        if not isinstance(other, HalvedMoments):
            return NotImplemented
        check_layouts(self.layout, other.layout)
        both = tuple(a + b for a, b in zip(self.sums, other.sums, strict=False))
        total = replace(
            self,
            waiting=self.waiting + other.waiting,
            sums=both or self.sums or other.sums,
            rows=_sample(self.rows, self._added_up, other.rows, other._added_up),
        )
        return total._added() if total._length >= ENOUGH else total

    def settled(self) -> Self:
        """Return the summary without its graph; no row waits.

        Its pivot stays the first chunk's mean: near enough, where sums are float64.
        """
        done = self._added()
        return replace(done, sums=tuple(half.detach() for half in done.sums))

    def _added(self) -> Self:
        """Return the same with no row waiting."""
        if self.sums and not self.waiting:
            return self
        rows = torch.cat(self.waiting)
        sums = self.sums or (self._nothing(),) * self.ways
        kept = self.rows
        if self.ways > 1:
            kept = _sample(self.rows, self._added_up, rows.detach(), len(rows))
        sums = tuple(half.extended(rows[i :: self.ways]) for i, half in enumerate(sums))
        return replace(self, waiting=(), sums=sums, rows=kept)

    def _nothing(self) -> MomentSums:
        """Return the moments of no rows."""
        sums = torch.zeros_like(double(self.pivot))
        second = sums.new_zeros(len(sums), len(sums))
        return MomentSums(0, self.pivot, sums, second, self.layout)

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the sums of both halves."""
        return {
            f"{name}/{key}": value
            for name, half in zip(NAMES, self.halves(), strict=False)
            for key, value in half.to_tensors().items()
        }

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """Return the same summary made of other sums."""
        done = self._added()
        sums = tuple(
            half.with_tensors({key: tensors[f"{name}/{key}"] for key in ("sums", "second")})
            for name, half in zip(NAMES, done.sums, strict=False)
        )
        return replace(done, sums=sums)

    def store(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return sums, pivot and rows, and the counts and layout."""
        done = self._added()
        tensors = {**done.to_tensors(), "pivot": done.pivot, "rows": done.rows}
        counts = [half.count for half in done.sums]
        fields = {"counts": counts, "layout": [list(row) for row in self.layout]}
        return {k: v.cpu().contiguous() for k, v in tensors.items()}, fields

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> Self:
        """Make a summary from what `store` returned."""
        layout = tuple((name, size) for name, size in fields["layout"])
        pivot, counts = tensors["pivot"], fields["counts"]
        sums = tuple(
            MomentSums(count, pivot, tensors[f"{name}/sums"], tensors[f"{name}/second"], layout)
            for name, count in zip(NAMES, counts, strict=False)
        )
        return cls(pivot, layout, (), sums, tensors["rows"], len(counts))

    def to(self, device: torch.device) -> Self:
        """Return the summary on another device."""
        done = self._added()
        return replace(
            done,
            pivot=done.pivot.to(device),
            sums=tuple(half.to(device) for half in done.sums),
            rows=done.rows.to(device),
        )


def _sample(a: Tensor, count_a: int, b: Tensor, count_b: int) -> Tensor:
    """Return up to R rows that are a sample of two sets, from a sample of either.

    The shares are rounded at random, or a small set's rows would never be drawn beside a large one's.
    Numbers are those of the counts, so that the same images give the same error.

    Args:
        a: Rows of the first set, all of it or R.
        count_a: How many that set has.
        b: The same of the second set, or all of it, however many.
        count_b: How many the second has.
    """
    if len(a) + len(b) <= ROWS:
        return torch.cat([a, b]) if len(b) else a
    draw = torch.Generator().manual_seed(count_a + count_b)
    share = ROWS * count_a / (count_a + count_b)
    first = int(share + float(torch.rand((), generator=draw)))
    parts = []
    for rows, wanted in ((a, first), (b, ROWS - first)):
        chosen = torch.randperm(len(rows), generator=draw)[:wanted].sort().values
        parts.append(rows[chosen.to(rows.device)])
    return torch.cat(parts)
