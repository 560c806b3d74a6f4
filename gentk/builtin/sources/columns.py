"""Columns: which of a table's hold the images and the labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import DataError

__all__ = ["Columns", "choose", "values_of"]

_IMAGES: Final = ("image", "img", "picture", "jpg", "png")
_LABELS: Final = (
    "label",
    "labels",
    "fine_label",
    "coarse_label",
    "class",
    "target",
    "cls",
    "category",
    "class_label",
    "class_name",
)

Column = tuple[str, ...]
"""The name of a column, or of a field of a nested one: `data.image` is ("data", "image")."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table that are read.

    Attributes:
        image: That of the images.
        labels: Those that may be the labels, the best first.
        asked: Whether the user named the labels.
        names: Class names that the data declare, by column.
        notes: What to say of the choice.
    """

    image: Column
    labels: tuple[Column, ...]
    asked: bool
    names: dict[Column, list[str]]
    notes: tuple[str, ...]


def choose(schema: pa.Schema, where: str, image: str | None, label: str | None) -> Columns:
    """Choose the columns by the `huggingface` metadata, by their names, or as asked.

    Args:
        schema: Of the table.
        where: What the table is called in messages, such as `parquet:a.parquet`.
        image: The column of images that the user named, `a.b` for a field of a nested one.
        label: The column of labels that the user named.

    Raises:
        DataError: A named column is not there, none holds images, or several do.
    """
    fields = dict(_fields(schema))
    known = ", ".join(".".join(column) for column in fields)
    for asked in (image, label):
        if asked and tuple(asked.split(".")) not in fields and (asked,) not in fields:
            raise DataError(f"{where} has no column {asked}; it has {known}")
    bearing = [column for column, kind in fields.items() if _bears_images(kind)]
    features = _features(schema)
    declared = [c for c in bearing if features.get(c, {}).get("_type") == "Image"]
    notes = []
    if image:
        taken = (image,) if (image,) in fields else tuple(image.split("."))
        if taken not in bearing:
            raise DataError(_imageless(where, known))
    else:
        taken = _image(declared or bearing, where, known)
        others = [".".join(c) for c in declared or bearing if c != taken]
        if others:
            notes.append(
                f"images are those of column {'.'.join(taken)}, and not {', '.join(others)}; "
                f"image=NAME takes another"
            )
    if label:
        labels: list[Column] = [(label,) if (label,) in fields else tuple(label.split("."))]
    else:
        labels = [c for c in fields if features.get(c, {}).get("_type") == "ClassLabel"]
        rest = [c for name in _LABELS for c in fields if c[-1] == name and c not in labels]
        labels += [column for column in rest if column not in bearing]
    unread = [".".join(c) for c in fields if c not in (taken, *labels[:1]) and c not in bearing]
    if unread:
        shown = ", ".join(unread[:8]) + (", ..." if len(unread) > 8 else "")
        notes.append(f"columns that are not read: {shown}")
    names = {
        column: [str(name) for name in value["names"]]
        for column, value in features.items()
        if isinstance(value.get("names"), list)
    }
    return Columns(taken, tuple(labels), bool(label), names, tuple(notes))


def values_of(table: pa.Table, column: Column) -> pa.ChunkedArray:
    """Return a column of a table, or a field of a nested one."""
    values = table[column[0]]
    return pc.struct_field(values, list(column[1:])) if len(column) > 1 else values


def _image(candidates: list[Column], where: str, known: str) -> Column:
    """Return the only column, or that which is called as images are."""
    if not candidates:
        raise DataError(_imageless(where, known))
    if len(candidates) == 1:
        return candidates[0]
    for name in _IMAGES:
        called = [column for column in candidates if column[-1].lower() == name]
        if len(called) == 1:
            return called[0]
    shown = [".".join(column) for column in candidates]
    raise DataError(
        f"{where} has {len(candidates)} columns of images, {', '.join(shown)}: name the one to "
        f"learn from, image={shown[0]}"
    )


def _imageless(where: str, known: str) -> str:
    return (
        f"{where} has no column of encoded images; it has {known}: name one whose type is binary or "
        f"struct<bytes, path>, image=NAME"
    )


def _fields(schema: pa.Schema) -> Iterator[tuple[Column, pa.DataType]]:
    """Yield all columns and all fields of nested ones; a struct of an image is one field."""

    def below(path: Column, kind: pa.DataType) -> Iterator[tuple[Column, pa.DataType]]:
        if pa.types.is_struct(kind) and not _bears_images(kind):
            for field in kind:
                yield from below((*path, field.name), field.type)
        else:
            yield path, kind

    for field in schema:
        yield from below((field.name,), field.type)


def _bears_images(kind: pa.DataType) -> bool:
    """Say whether a column of this type can hold encoded images."""
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _bears_images(field.type) for field in kind)
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    )


def _features(schema: pa.Schema) -> dict[Column, dict[str, Any]]:
    """Return what the `huggingface` metadata say of each column; empty without metadata."""
    declared: dict[Column, dict[str, Any]] = {}

    def below(path: Column, value: object) -> None:
        if isinstance(value, dict) and isinstance(value.get("_type"), str):
            declared[path] = value
        elif isinstance(value, dict):
            for name, inner in value.items():
                below((*path, str(name)), inner)

    try:
        metadata = json.loads((schema.metadata or {})[b"huggingface"])
        for name, value in metadata["info"]["features"].items():
            if name in schema.names:
                below((name,), value)
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return declared
