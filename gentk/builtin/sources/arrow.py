"""`arrow:PATH`: data sets that the package `datasets` has saved or cached."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

from .columns import Column
from .tables import Tables

__all__ = ["Arrow"]


class Arrow(Tables):
    """A folder that `save_to_disk` of the package `datasets` wrote, or one of its cache.

    Read without that package: its files are Arrow's, of which images are taken where they lie on the
    disk. Splits are the folders of a `DatasetDict` (`train/data-00000-of-00001.arrow`), or words in
    the names of cached files (`cifar10-train.arrow`). Columns, labels and shards are as for
    `parquet`. Pictures that are only named by the data are read from where they are.

    Args:
        path: The folder, one .arrow file, or a pattern.
        image: Name of the column of images; None to find it.
        label: Name of the column of class indices or class names; None to find it.
    """

    kind = "arrow"
    suffix = ".arrow"

    def __init__(self, path: Path, *, image: str | None = None, label: str | None = None) -> None:
        super().__init__(path, image=image, label=label)

    def _schema(self, file: Path) -> pa.Schema:
        return self._opened(file).schema

    def _read(self, file: Path, columns: Sequence[Column]) -> pa.Table:
        return self._opened(file).select([column[0] for column in columns])

    def _rows(self, file: Path) -> int:
        return int(self._opened(file).num_rows)

    def _opened(self, file: Path) -> pa.Table:
        """Return a whole file, mapped and not read."""
        source = pa.memory_map(str(file))
        try:
            return pyarrow.ipc.open_stream(source).read_all()
        except pa.ArrowInvalid:
            source.seek(0)
            return pyarrow.ipc.open_file(source).read_all()
