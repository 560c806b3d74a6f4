"""`parquet:PATH`: images in parquet files, in the layout of Hugging Face data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import DataError
from .columns import Column
from .rows import Group, GroupedRows
from .tables import Tables

__all__ = ["Parquet"]


class Parquet(Tables):
    """Encoded images (PNG, JPEG, ...) in a parquet file, or in the shards of a folder.

    A file that is named is what the train split gives, whatever it is called; the test split is its
    sibling with `test` (or else `validation`, `val`, `dev`, ...) for `train` in the name, or the file
    itself if its name says it is held out. A folder is searched for `train-*.parquet`,
    `train/0000.parquet`, `CONFIG/test/0000.parquet` and the like, and a pattern such as
    `'train-*.parquet'` for what fits it; shards are read in the order of their numbers. Encoded
    images are held in memory up to `memory=`; more are unpacked once, a row group at a time, to
    `unpacked` in the cache, where each can be read by itself.

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
        with pq.ParquetFile(file) as opened:
            schema = opened.schema_arrow
            numbers = range(opened.num_row_groups)
            groups = [self._read_group(opened, file, number, columns) for number in numbers]
        return pa.concat_tables(groups) if groups else schema.empty_table()

    def _images(self, files: list[Path], column: Column) -> GroupedRows:
        groups = []
        for file in files:
            metadata = pq.read_metadata(file)
            for number in range(metadata.num_row_groups):
                group = metadata.row_group(number)
                parts = (group.column(place) for place in range(group.num_columns))
                sizes = [
                    part.total_uncompressed_size
                    for part in parts
                    if part.path_in_schema.split(".")[0] == column[0]
                ]
                groups.append(Group(file, number, group.num_rows, sum(sizes)))

        def read(group: Group) -> pa.Table:
            with pq.ParquetFile(group.file) as opened:
                return self._read_group(opened, group.file, group.number, [column])

        return GroupedRows(files, groups, column, read, f"{self.kind}:{self._path}")

    def _read_group(
        self, opened: pq.ParquetFile, file: Path, number: int, columns: Sequence[Column]
    ) -> pa.Table:
        """Return columns of a row group; say where it is damaged."""
        try:
            return opened.read_row_group(number, columns=[column[0] for column in columns])
        except (pa.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"{self.kind}:{file} is damaged in row group {number} of {opened.num_row_groups} "
                f"({reason}): fetch or write the file again"
            ) from error

    def _rows(self, file: Path) -> int:
        return int(pq.read_metadata(file).num_rows)
