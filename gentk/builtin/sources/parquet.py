"""`parquet:PATH`: images in parquet files, in the layout of Hugging Face data sets."""

from __future__ import annotations

import json
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from ...data.picture import read_image
from ...errors import DataError
from ...interfaces import Records, Source
from .siblings import split_file

__all__ = ["Parquet"]

_IMAGES: Final = ("image", "img", "jpg", "png")
_LABELS: Final = ("label", "labels", "fine_label", "coarse_label", "class")
_TRAINS: Final = ("train*.parquet",)
_TESTS: Final = ("test*.parquet", "val*.parquet")


class Parquet(Source):
    """Encoded images (PNG, JPEG, ...) in a parquet file, or in the shards of a folder.

    A file that is named is what the train split gives, whatever it is called; the test split is its
    sibling with `test` for `train` in the name, or the file itself if its name contains `test` and
    not `train`. A folder (or its folder `data`) has the shards `train*.parquet` and
    `test*.parquet`, or without these `val*.parquet`. The encoded bytes are held in memory.

    The columns are those that the `huggingface` metadata declare as Image and ClassLabel; without
    metadata, `image` (or `img`, or the first with image bytes) and `label`.

    Args:
        path: The file or folder.
        image: Name of the column of images, a struct {bytes, path} or binary; None to find it.
        label: Name of the column of class indices or class names; None to find it.
    """

    def __init__(self, path: Path, *, image: str | None = None, label: str | None = None) -> None:
        self._path = path.expanduser()
        self._image = image
        self._label = label

    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split.

        Raises:
            DataError: When the files are missing or damaged or have no images.
        """
        files = self._files(split)
        try:
            schema = pq.read_schema(files[0])
            image, label = self._columns(schema)
            columns = [image, label] if label else [image]
            tables = [pq.read_table(file, columns=columns) for file in files]
            return _Rows(files, tables, image, label, _class_names(schema, label))
        except (pa.ArrowException, OSError, KeyError) as error:
            raise DataError(
                f"parquet:{self._path} cannot be read ({error}): the file is damaged, or is not a "
                f"parquet file"
            ) from error

    def _files(self, split: Literal["train", "test"]) -> list[Path]:
        """Return the files of a split, in order."""
        if not self._path.is_dir():
            file = split_file(self._path, split)
            if file is None:
                raise DataError(
                    f"parquet:{self._path} has no test split: name the file of the test images "
                    f"(it is found if it is called like this one, with test for train), or hold "
                    f"images out with validation=N and ask for split=validation"
                )
            return [file]
        patterns = _TESTS if split == "test" else _TRAINS
        for folder in (self._path, self._path / "data"):
            for pattern in patterns:
                if files := sorted(folder.glob(pattern)):
                    return files
        raise DataError(
            f"parquet:{self._path} is a folder without {' or '.join(patterns)}: name one file, "
            f"parquet:{self._path / 'FILE.parquet'}"
        )

    def _columns(self, schema: pa.Schema) -> tuple[str, str | None]:
        """Return the names of the columns of images and of labels (None without labels)."""
        for asked in (self._image, self._label):
            if asked and asked not in schema.names:
                raise DataError(
                    f"parquet:{self._path} has no column {asked}; it has {', '.join(schema.names)}"
                )
        bearing = [field.name for field in schema if _bears_images(field.type)]
        guess = next((name for name in _IMAGES if name in bearing), bearing[0] if bearing else None)
        image = self._image or _declared(schema, "Image") or guess
        if image is None or image not in bearing:
            raise DataError(
                f"parquet:{self._path} has no column of encoded images; it has "
                f"{', '.join(schema.names)}: name one whose type is binary or "
                f"struct<bytes, path>, image=NAME"
            )
        label = self._label or _declared(schema, "ClassLabel")
        # A column that only happens to have such a name may hold anything.
        fitting = [name for name in _LABELS if name in schema.names and _indexes(schema, name)]
        return image, label or next(iter(fitting), None)


class _Rows:
    """The rows of parquet tables of one schema."""

    def __init__(
        self,
        files: list[Path],
        tables: list[Any],
        image: str,
        label: str | None,
        classes: list[str] | None,
    ) -> None:
        self._files = files
        self._file_ends = list(accumulate(table.num_rows for table in tables))
        columns = [table[image] for table in tables]
        if pa.types.is_struct(columns[0].type):
            columns = [pc.struct_field(column, "bytes") for column in columns]
        self._chunks = [chunk for column in columns for chunk in column.chunks]
        self._chunk_ends = list(accumulate(len(chunk) for chunk in self._chunks))
        self.labels, self.classes = None, classes
        if label:
            values = [value for table in tables for value in table[label].to_pylist()]
            self.labels, self.classes = _labels(values, label, classes)

    def __len__(self) -> int:
        return int(self._file_ends[-1])

    def _encoded(self, index: int) -> Any:
        """Return the scalar that holds image `index`."""
        chunk = bisect_right(self._chunk_ends, index)
        start = self._chunk_ends[chunk - 1] if chunk else 0
        return self._chunks[chunk][index - start]

    def decode(self, index: int) -> Image.Image:
        encoded = self._encoded(index).as_py()
        if encoded is None:
            raise ValueError("the row has no image bytes")
        return read_image(encoded)

    def name(self, index: int) -> str:
        file = bisect_right(self._file_ends, index)
        start = self._file_ends[file - 1] if file else 0
        return f"{self._files[file].name} row {index - start}"

    def stored_size(self, index: int) -> int:
        buffer = self._encoded(index).as_buffer()
        return 0 if buffer is None else int(buffer.size)


def _bears_images(kind: pa.DataType) -> bool:
    """Return whether a column of this type can hold encoded images."""
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _bears_images(field.type) for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Return what the `huggingface` metadata say of each column; empty without metadata."""
    try:
        metadata = json.loads((schema.metadata or {})[b"huggingface"])
        features = metadata["info"]["features"].items()
        return {
            name: value for name, value in features if name in schema.names and "_type" in value
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _declared(schema: pa.Schema, kind: str) -> str | None:
    """Return the first column that the metadata declare to be of a kind."""
    features = _features(schema).items()
    return next((name for name, value in features if value["_type"] == kind), None)


def _class_names(schema: pa.Schema, label: str | None) -> list[str] | None:
    """Return the class names that the metadata give for column `label`."""
    names = _features(schema).get(label or "", {}).get("names")
    return [str(name) for name in names] if isinstance(names, list) else None


def _indexes(schema: pa.Schema, name: str) -> bool:
    """Say whether a column may hold class indices or names."""
    kind = schema.field(name).type
    return bool(pa.types.is_integer(kind) or pa.types.is_string(kind))


def _labels(
    values: list[Any], column: str, classes: list[str] | None
) -> tuple[list[int], list[str] | None]:
    """Return class indices and names; missing values are -1, names are numbered in their order."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {str}:
        classes = classes or sorted({value for value in values if value is not None})
        number = {name: label for label, name in enumerate(classes)}
        return [number.get(value, -1) for value in values], classes
    if kinds - {int}:
        raise DataError(
            f"the column {column} is not one of class indices: name the one that is, label=NAME"
        )
    return [-1 if value is None else value for value in values], classes
