"""Moments in two halves, with some rows: what a Frechet distance and its error are made of.

    all = even + odd,    keys = a hash of each row's bits,    rows = those of the R smallest keys

Every other row goes to the other half, so that either has half of every class. Which rows are kept is
decided by their content: that is a sample of all rows, the same in whatever order and parts they come,
and the rows of two sets together are found in the rows of each (bottom-k sampling).

Rows wait until there are enough of them: a product of a few rows moves as much memory as one of many.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from gentk.interfaces import Features
from gentk.precision import double
from gentk.summary import MomentSums, Summary

__all__ = ["ROWS", "HalvedMoments"]

ROWS = 2048
"""R: how many rows are kept; the error of an error is then a few percent."""

NAMES = ("even", "odd")
"""Of the halves."""

ENOUGH = 1024
"""How many rows wait to be added up together."""

MULTIPLIER, SHIFT = -7046029254386353131, 29
"""Of splitmix64, as signed integers: mixes bits."""


@dataclass(frozen=True)
class HalvedMoments(Summary):
    """Means and second moments of both halves of a set, and some of its rows.

    Where they are not asked for, all rows are in the first half and none are kept.

    Attributes:
        pivot: What sums are taken about, (D,).
        waiting: Chunks of rows that are in none of the others yet, (N, D), float32, float64 if features
            are.
        even: Of rows 0, 2, ...; None before there is any.
        odd: Of rows 1, 3, ...; the same.
        rows: (R, D), or all rows if they are fewer.
        keys: (R,) int64, by which they were chosen.
        layout: (layer, number of its features), in order.
        split: Whether there are halves and rows.
    """

    grows: ClassVar[bool] = False

    pivot: Tensor
    waiting: tuple[Tensor, ...]
    even: MomentSums | None
    odd: MomentSums | None
    rows: Tensor
    keys: Tensor
    layout: tuple[tuple[str, int], ...]
    split: bool = True

    @classmethod
    def of(
        cls, features: Features, like: Summary | None = None, split: bool = True
    ) -> HalvedMoments:
        """Summarise one chunk.

        Args:
            features: Layer -> (N, D).
            like: A summary whose pivot to take; without one, the chunk's own mean.
            split: Keep halves and rows; without them all is in the first half.
        """
        layout = tuple((name, value.shape[1]) for name, value in features.items())
        values = [v if v.dtype == torch.float64 else v.float() for v in features.values()]
        rows = torch.cat(values, dim=1)
        plain = rows.detach()
        pivot = like.pivot if isinstance(like, HalvedMoments) else plain.mean(0)
        none = plain.new_zeros(0, dtype=torch.int64)
        return cls(pivot, (rows,), None, None, plain[:0].clone(), none, layout, split)

    @property
    def count(self) -> int:  # type: ignore[override]
        """How many samples it has seen."""
        return self._length + sum(half.count for half in (self.even, self.odd) if half)

    @property
    def _length(self) -> int:
        """How many rows wait."""
        return sum(map(len, self.waiting))

    def halves(self) -> tuple[MomentSums, ...]:
        """Return the moments of both halves, or of all rows where there are none."""
        done = self._added()
        return tuple(half for half in (done.even, done.odd) if half is not None)

    def whole(self) -> MomentSums:
        """Return the moments of all rows."""
        return functools.reduce(operator.add, self.halves())

    def __add__(self, other: Summary) -> HalvedMoments:
        if not isinstance(other, HalvedMoments):
            return NotImplemented
        if self.layout != other.layout:
            raise ValueError(f"summaries of other features: {self.layout} and {other.layout}")
        rows, keys = _chosen([self.rows, other.rows], [self.keys, other.keys])
        both = replace(
            self,
            waiting=self.waiting + other.waiting,
            even=_sum(self.even, other.even),
            odd=_sum(self.odd, other.odd),
            rows=rows,
            keys=keys,
        )
        return both._added() if both._length >= ENOUGH else both

    def _added(self) -> Self:
        """Return the same with no row waiting."""
        if self.even is not None and not self.waiting:
            return self
        waiting = torch.cat(self.waiting) if len(self.waiting) > 1 else self.waiting[0]
        if not self.split:
            return replace(self, waiting=(), even=self._extended(self.even, waiting))
        plain = waiting.detach()
        rows, keys = _chosen([self.rows, plain], [self.keys, _keys(plain)])
        return replace(
            self,
            waiting=(),
            even=self._extended(self.even, waiting[::2]),
            odd=self._extended(self.odd, waiting[1::2]),
            rows=rows,
            keys=keys,
        )

    def _extended(self, half: MomentSums | None, rows: Tensor) -> MomentSums:
        """Return the moments of a half, or of nothing yet, and of further rows."""
        if rows.requires_grad and len(rows):
            nothing = MomentSums(0, self.pivot, self.pivot, None, self.layout)
            more = MomentSums.of(self._named(rows), "full", nothing)
            return more if half is None else half + more
        if half is None:
            size = len(self.pivot)
            sums = torch.zeros_like(double(self.pivot))
            second = sums.new_zeros(size, size)
            half = MomentSums(0, self.pivot, sums, second, self.layout)
        return half.extended(rows) if len(rows) else half

    def _named(self, rows: Tensor) -> Features:
        """Return rows as features by layer."""
        sizes = [size for _, size in self.layout]
        return {name: v for (name, _), v in zip(self.layout, rows.split(sizes, 1), strict=True)}

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the sums of both halves."""
        return {
            f"{name}/{key}": value
            for name, half in zip(NAMES, self.halves(), strict=False)
            for key, value in half.to_tensors().items()
        }

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """Return the same summary made of other sums."""
        named = zip(NAMES, self.halves(), strict=False)
        return self._added()._with(
            [
                half.with_tensors({key: tensors[f"{name}/{key}"] for key in ("sums", "second")})
                for name, half in named
            ]
        )

    def _with(self, halves: Sequence[MomentSums]) -> Self:
        """Return the same with other sums."""
        return replace(self, even=halves[0], odd=halves[1] if self.split else None)

    def settled(self) -> Self:
        """Return the summary without its graph; no row waits.

        Its pivot stays the first chunk's mean: near enough, where sums are float64.
        """
        done = self._added()
        return done._with([half.detach() for half in done.halves()])

    def store(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return sums, pivot, rows and keys, and the counts and layout."""
        done = self._added()
        others = {"pivot": done.pivot, "rows": done.rows, "keys": done.keys}
        tensors = {k: v.cpu().contiguous() for k, v in {**done.to_tensors(), **others}.items()}
        counts = [half.count for half in done.halves()]
        return tensors, {"counts": counts, "layout": [list(row) for row in self.layout]}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], fields: Mapping[str, Any]) -> Self:
        """Make a summary from what `store` returned."""
        layout = tuple((name, size) for name, size in fields["layout"])
        pivot = tensors["pivot"]
        even, odd = (
            MomentSums(count, pivot, tensors[f"{name}/sums"], tensors[f"{name}/second"], layout)
            if count is not None
            else None
            for name, count in zip(NAMES, (*fields["counts"], None)[:2], strict=True)
        )
        rows, split = tensors["rows"], len(fields["counts"]) > 1
        return cls(pivot, (), even, odd, rows, tensors["keys"], layout, split)

    def to(self, device: torch.device) -> Self:
        """Return the summary on another device."""
        done = self._added()
        moved = done._with([half.to(device) for half in done.halves()])
        return replace(
            moved,
            pivot=done.pivot.to(device),
            rows=done.rows.to(device),
            keys=done.keys.to(device),
        )


def _sum(a: MomentSums | None, b: MomentSums | None) -> MomentSums | None:
    """Return the sum of what is there."""
    return a + b if a is not None and b is not None else a or b


def _keys(rows: Tensor) -> Tensor:
    """Return a hash of the bits of each row, (N,) int64."""
    found = []
    for part in rows.split(ENOUGH):
        bits = part.contiguous().view(torch.int32).long()
        weights = torch.arange(1, 2 * bits.shape[1], 2, device=bits.device) * MULTIPLIER
        key = (bits * weights).sum(1)
        for _ in range(2):
            key = (key ^ (key >> SHIFT)) * MULTIPLIER
        found.append(key ^ (key >> SHIFT))
    return torch.cat(found)


def _chosen(rows: list[Tensor], keys: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the rows of the smallest keys, and these."""
    order = torch.cat(keys)
    if len(order) <= ROWS:
        return torch.cat(rows), order
    kept = order.argsort(stable=True)[:ROWS]
    return torch.cat(rows)[kept], order[kept]
