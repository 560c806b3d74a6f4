"""Labels: values of any kind become one numbering of classes, the same in all splits of the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST", "NoLabels", "Numbering", "number_folders", "numbering"]

LARGEST: Final = 1_000_000
"""Whole numbers above this are no class indices: identifiers, hashes."""

Values = Sequence[Any] | NDArray[np.generic]


class NoLabels(ValueError):
    """Values that are no classes; the message says what they are."""


@dataclass(frozen=True)
class Numbering:
    """The classes of a data set.

    Attributes:
        labels: Split -> one class index per image, -1 for none.
        classes: The names of the classes, train's first; None if they have only numbers.
        new: The names of classes that train does not have.
    """

    labels: dict[str, list[int]]
    classes: list[str] | None
    new: list[str]


def numbering(values: Mapping[str, Values], names: Sequence[str] | None = None) -> Numbering:
    """Number the classes of all splits: whole numbers stand for themselves, names in their order.

    The names that the train split has come first, sorted, as they would without the others; then
    those that only other splits have. None and NaN are no label. Booleans are the classes 0, `false`,
    and 1, `true`.

    Args:
        values: Split -> whole numbers (floating point ones too), names, or booleans, one per image.
        names: The names of the classes where the data declare them.

    Raises:
        NoLabels: Values that are none of these.
    """
    lists = {split: _plain(column) for split, column in values.items()}
    kinds = {type(value) for column in lists.values() for value in column if value is not None}
    if kinds == {str}:
        return _named(lists, names)
    if not kinds <= {int, bool}:
        shown = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise NoLabels(f"it holds values of type {shown}")
    if kinds == {bool} and names is None:
        names = ["false", "true"]
    labels = {s: [-1 if v is None else int(v) for v in column] for s, column in lists.items()}
    flat = [label for column in labels.values() for label in column]
    if flat and min(flat) < -1:
        raise NoLabels(f"it holds {min(flat)}, and class indices are 0, 1, 2, ... or -1 for none")
    if flat and max(flat) > LARGEST:
        raise NoLabels(f"it holds {max(flat)}, which is too large for the index of a class")
    train = set(labels.get("train", flat))
    new = sorted({label for label in flat if label >= 0} - train)
    called = list(names) if names is not None else None
    return Numbering(labels, called, [_called(label, called) for label in new])


def number_folders(names: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """Return the classes of all splits, train's first, and those that train does not have."""
    first = sorted(set(names.get("train", ())))
    others = {name for column in names.values() for name in column}
    new = sorted(others - set(first)) if first else []
    return first + new if first else sorted(others), new


def _named(lists: Mapping[str, list[Any]], names: Sequence[str] | None) -> Numbering:
    """Number classes that are given by name."""
    present = {s: sorted({v for v in column if v is not None}) for s, column in lists.items()}
    ours, new = number_folders(present)
    classes = list(names) if names is not None else ours
    classes += [name for name in ours if name not in classes]
    number = {name: index for index, name in enumerate(classes)}
    labels = {s: [-1 if v is None else number[v] for v in column] for s, column in lists.items()}
    return Numbering(labels, classes, new)


def _plain(column: Values) -> list[Any]:
    """Return values as Python's str, int, bool or None, or raise `NoLabels`."""
    if isinstance(column, np.ndarray):
        if column.ndim > 1 and column.size != len(column):
            raise NoLabels(f"it has the shape {column.shape}, and not one value per image")
        column = column.ravel().tolist()
    plain: list[Any] = []
    for value in column:
        if isinstance(value, float):
            if math.isnan(value):
                plain.append(None)
                continue
            if not value.is_integer():
                raise NoLabels(f"it holds {value:g}, which is not a whole number")
            plain.append(int(value))
        elif isinstance(value, bytes):
            try:
                plain.append(value.decode())
            except UnicodeDecodeError as error:
                raise NoLabels("it holds bytes that are no text") from error
        elif value is None or isinstance(value, str | int):
            plain.append(value)
        else:
            raise NoLabels(f"it holds values of type {type(value).__name__}")
    return plain


def _called(label: int, names: Sequence[str] | None) -> str:
    return names[label] if names is not None and label < len(names) else str(label)
