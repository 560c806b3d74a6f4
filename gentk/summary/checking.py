"""Checking: what a user hands to a piece, before anything is computed of it.

Every public function and class that takes features, samples or statistics asks here, so that a wrong
argument is one sentence wherever it is given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

import torch
from torch import Tensor

from ..errors import DataError, Incompatible
from ..interfaces import Features, Statistics, Summary
from ..interfaces.promise import described

__all__ = [
    "alike",
    "both",
    "check_batch",
    "check_finite",
    "check_layouts",
    "check_statistics",
    "check_tensors",
    "checked",
]

S = TypeVar("S", bound=Summary)
Layout = tuple[tuple[str, int], ...]
"""(layer, number of its features), in order."""


def checked(features: Features) -> Features:
    """Return features as they are.

    Raises:
        Incompatible: They are no dict of tensors with a row a sample.
    """
    if not isinstance(features, Mapping):
        raise Incompatible(
            f"features are a dict, layer -> tensor, not {described(features)}; write "
            '{"name": features}'
        )
    for name, value in features.items():
        if not isinstance(value, Tensor) or value.dim() < 2:
            raise Incompatible(
                f"features of layer {name!r} are a tensor (N, ...) of two axes or more, not "
                f"{described(value)}; give one row a sample"
            )
    return features


def alike(features: Features) -> Features:
    """Return the features of one set of samples as they are.

    Raises:
        Incompatible: As `checked`; or the layers are of different numbers of samples.
    """
    checked(features)
    if len({len(value) for value in features.values()}) != 1:
        counts = ", ".join(f"{name} {len(value)}" for name, value in features.items()) or "none"
        raise Incompatible(
            f"features are layers of the same samples, here are of {counts}; give each layer as many"
        )
    return features


def check_layouts(one: Layout, other: Layout) -> None:
    """Refuse two summaries of other features.

    Raises:
        Incompatible: Their layers have other names or numbers of features.
    """
    if one != other:
        left, right = (
            ", ".join(f"{name} ({size})" for name, size in layout) for layout in (one, other)
        )
        raise Incompatible(
            f"summaries of other features: {left} and {right}; give both the same layers"
        )


def both(kind: type[S], reference: object, sample: object) -> tuple[S, S]:
    """Return the summaries of a metric's two sides.

    Raises:
        Incompatible: One is none that the metric's `summarise` returns, or they are of other features.
    """
    for name, side in (("reference", reference), ("sample", sample)):
        if not isinstance(side, kind):
            raise Incompatible(
                f"the {name} is a summary ({kind.__name__}), not {described(side)}; give what the "
                "metric's summarise(features) returns"
            )
    assert isinstance(reference, kind) and isinstance(sample, kind)
    check_layouts(getattr(reference, "layout", ()), getattr(sample, "layout", ()))
    return reference, sample


def check_tensors(
    piece: str, least: Mapping[str, int] | None = None, **given: tuple[object, str]
) -> None:
    """Refuse what are not tensors of floating-point numbers whose axes fit each other.

    Args:
        piece: Who is asking, for the sentence: `mmd2`.
        least: The smallest length of an axis, by its letter; 1 for all others.
        given: By the argument's name: its value and its axes, such as `(x, "N D")`, where a letter is
            one length throughout; a value of None is an argument that is left out.

    Raises:
        Incompatible: One is no such tensor, has another number of axes, or a length is not that of
            another argument's.
        DataError: An axis is too short.
    """
    lengths: dict[str, tuple[int, str]] = {}
    for name, (value, text) in given.items():
        axes = text.split()
        shape = f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"
        if value is None:
            continue
        if not isinstance(value, Tensor):
            raise Incompatible(
                f"{piece}: {name} is a tensor {shape}, not {described(value)}; write "
                f"torch.as_tensor({name})"
            )
        if not value.is_floating_point():
            raise Incompatible(
                f"{piece}: {name} is of floating-point numbers, not {value.dtype}; write "
                f"{name}.float()"
            )
        if value.dim() != len(axes):
            raise Incompatible(
                f"{piece}: {name} has the axes {shape}, it is {tuple(value.shape)}; reshape it"
            )
        for axis, length in zip(axes, value.shape, strict=True):
            known, owner = lengths.setdefault(axis, (length, name))
            if length != known:
                raise Incompatible(
                    f"{piece}: {axis} is {known} in {owner} and {length} in {name} {shape}; give "
                    "both alike"
                )
            if length < (least or {}).get(axis, 1):
                raise DataError(
                    f"{piece} needs at least {(least or {}).get(axis, 1)} along {axis} of {name} "
                    f"{shape}, here are {length}; give more"
                )


def check_finite(piece: str, **given: Tensor) -> None:
    """Refuse numbers that are none, where a value would look like one; not for steps, which wait.

    Raises:
        DataError: One of the tensors has a nan or an infinity.
    """
    for name, value in given.items():
        if not bool(torch.isfinite(value).all()):
            raise DataError(
                f"{piece}: {name} has values that are not finite (nan or infinity); look at the images "
                "and the features that they come from, such as by x[~x.isfinite().all(1)]"
            )


def check_statistics(owner: str, statistics: object) -> None:
    """Refuse what is no dict of tensors.

    Raises:
        Incompatible: It is something else.
    """
    if not isinstance(statistics, Mapping) or not all(
        isinstance(value, Tensor) for value in statistics.values()
    ):
        raise Incompatible(
            f"{owner} takes statistics, a dict of name -> tensor, not {described(statistics)}; "
            'write {"mean": tensor}'
        )


def check_batch(
    owner: str, model: Statistics, data: Statistics, following: Collection[str], free: int = 0
) -> None:
    """Refuse a batch that an estimator cannot follow.

    Args:
        owner: The estimator, for the sentence.
        model: The batch's statistics.
        data: The data's.
        following: What `start` has made room for.
        free: How many of the first axes may differ: 1 for sets of samples, which the data may lack.

    Raises:
        Incompatible: One is no dict of tensors, `start` was not called for a statistic, or the two sides
            are of other features.
    """
    check_statistics(owner, model)
    check_statistics(owner, data)
    for name, batch in model.items():
        if name not in following:
            raise Incompatible(
                f"{owner} does not follow {name!r} yet; call its start(data) with the statistics of "
                "the data first"
            )
        if name not in data and free:
            continue  # The data of a loss may be summarised otherwise: sums beside sets of samples.
        if name not in data:
            raise Incompatible(
                f"{owner} compares {name!r} with the data's, which are {', '.join(data) or 'none'}; "
                "give both sides the same statistics"
            )
        if batch.shape[free:] != data[name].shape[free:]:
            raise Incompatible(
                f"statistic {name!r} is {tuple(batch.shape)} of the model and "
                f"{tuple(data[name].shape)} of the data; give both of the same features"
            )
