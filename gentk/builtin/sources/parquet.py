"""`parquet:PATH`: images in parquet files, in the layout of Hugging Face data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .columns import Column
from .tables import Tables

__all__ = ["Parquet"]


class Parquet(Tables):
    """Encoded images (PNG, JPEG, ...) in a parquet file, or in the shards of a folder.

    A file that is named is what the train split gives, whatever it is called; the test split is its
    sibling with `test` (or else `validation`, `val`, `dev`, ...) for `train` in the name, or the file
    itself if its name says it is held out. A folder is searched for `train-*.parquet`,
    `train/0000.parquet`, `CONFIG/test/0000.parquet` and the like, and a pattern such as
    `'train-*.parquet'` for what fits it; shards are read in the order of their numbers. The encoded
    bytes are held in memory.

    The columns are those that the `huggingface` metadata declare as Image and ClassLabel; without
    metadata, the only one with image bytes, or `image`, `img` or `picture` of several, and `label` or
    the like. Labels may be whole numbers, also as floats, booleans, or names; they are numbered once
    for all splits.

    Args:
        path: The file, the folder, or the pattern.
        image: Name of the column of images, a struct {bytes, path} or binary, `a.b` for a field of a
            nested column; None to find it.
        label: Name of the column of class indices or class names; None to find it.
    """

    kind = "parquet"
    suffix = ".parquet"

    def __init__(self, path: Path, *, image: str | None = None, label: str | None = None) -> None:
        super().__init__(path, image=image, label=label)

    def _schema(self, file: Path) -> pa.Schema:
        return pq.read_schema(file)

    def _read(self, file: Path, columns: Sequence[Column]) -> pa.Table:
        return pq.read_table(file, columns=[column[0] for column in columns], partitioning=None)

    def _rows(self, file: Path) -> int:
        return int(pq.read_metadata(file).num_rows)
