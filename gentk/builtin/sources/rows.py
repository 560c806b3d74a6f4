"""Rows: the images of columnar files, in memory, by row groups, or from a spool."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from ...data.picture import read_image
from ...data.spool import Spool, Stored, spooled, stamp
from ...interfaces import Records
from .columns import Column, values_of

__all__ = ["Group", "GroupedRows", "TableRows"]

KEPT: Final = 3
"""Row groups that are held at a time: threads that go through the rows are at most in these."""


class _Rows(ABC):
    """Rows of files, in their order.

    Args:
        files: The files.
        counts: The rows of each.
    """

    labels: list[int] | None = None
    classes: list[str] | None = None

    def __init__(self, files: Sequence[Path], counts: Sequence[int]) -> None:
        self.files = files
        self.ends = list(accumulate(counts))

    def __len__(self) -> int:
        return int(self.ends[-1])

    @abstractmethod
    def stored(self, index: int) -> Stored:
        """Return the encoded image of a row, or the file that it points to; None if it has neither."""

    def decode(self, index: int) -> Image.Image:
        stored = self.stored(index)
        if stored is None:
            raise ValueError("the row has no image bytes")
        return read_image(stored)

    def name(self, index: int) -> str:
        file = bisect_right(self.ends, index)
        start = self.ends[file - 1] if file else 0
        return f"{self.files[file].name} row {index - start}"

    def stored_size(self, index: int) -> int:
        stored = self.stored(index)
        if isinstance(stored, Path):
            return stored.stat().st_size if stored.is_file() else 0
        return len(stored or b"")


class TableRows(_Rows):
    """The rows of tables of one schema, in memory or mapped.

    Args:
        files: The file of each table.
        tables: The tables.
        image: The column of the images.
    """

    def __init__(self, files: Sequence[Path], tables: Sequence[pa.Table], image: Column) -> None:
        super().__init__(files, [table.num_rows for table in tables])
        columns = [values_of(table, image) for table in tables]
        self._paths: list[Any] = []
        if pa.types.is_struct(columns[0].type):
            names = [field.name for field in columns[0].type]
            if "path" in names:
                paths = [pc.struct_field(column, "path") for column in columns]
                self._paths = [chunk for column in paths for chunk in column.chunks]
            columns = [pc.struct_field(column, "bytes") for column in columns]
        self._chunks = [chunk for column in columns for chunk in column.chunks]
        self._chunk_ends = list(accumulate(len(chunk) for chunk in self._chunks))

    def stored(self, index: int) -> Stored:
        """Return the encoded image of a row, or the file beside the table that it points to."""
        encoded: bytes | None = self._at(index, self._chunks).as_py()
        return self._file(index) if encoded is None else encoded

    def stored_size(self, index: int) -> int:
        """Return the size of a row's image, in bytes."""
        buffer = self._at(index, self._chunks).as_buffer()
        return super().stored_size(index) if buffer is None else int(buffer.size)

    def _at(self, index: int, chunks: list[Any]) -> Any:
        """Return the scalar of row `index`."""
        chunk = bisect_right(self._chunk_ends, index)
        start = self._chunk_ends[chunk - 1] if chunk else 0
        return chunks[chunk][index - start]

    def _file(self, index: int) -> Path | None:
        """Return the image file beside the table that a row without bytes points to."""
        path = self._at(index, self._paths).as_py() if self._paths else None
        table = self.files[bisect_right(self.ends, index)]
        return table.parent / path if isinstance(path, str) and path else None


@dataclass(frozen=True)
class Group:
    """Rows of a file that are read as a whole.

    Attributes:
        file: The file.
        number: Which of its groups.
        rows: How many rows.
        size: The bytes of their images.
    """

    file: Path
    number: int
    rows: int
    size: int


class GroupedRows(_Rows):
    """The rows of row groups, a few of which are in memory at a time: good for going through once.

    Args:
        files: The files.
        groups: Their row groups, in order.
        image: The column of the images.
        read: Reads a row group's column.
        what: What the data are called in messages.
    """

    def __init__(
        self,
        files: Sequence[Path],
        groups: Sequence[Group],
        image: Column,
        read: Callable[[Group], pa.Table],
        what: str,
    ) -> None:
        super().__init__(files, [sum(g.rows for g in groups if g.file == f) for f in files])
        self._groups = groups
        self._group_ends = list(accumulate(group.rows for group in groups))
        self._image = image
        self._read = read
        self._what = what
        self._kept: OrderedDict[int, TableRows] = OrderedDict()
        self._lock = threading.Lock()

    def stored(self, index: int) -> Stored:
        """Return the encoded image of a row; its group is read, and is in memory for a while."""
        place = bisect_right(self._group_ends, index)
        start = self._group_ends[place - 1] if place else 0
        with self._lock:
            rows = self._kept.pop(place, None) or self._opened(place)
            self._kept[place] = rows
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return rows.stored(index - start)

    def unpacked(
        self, memory: int, *, again: bool, advance: Callable[[int], None] | None = None
    ) -> Records:
        """Return the rows in memory where they fit, or from a spool if they are decoded again."""
        size = sum(group.size for group in self._groups)
        if size <= memory:
            tables = [
                pa.concat_tables(
                    [self._read(group) for group in self._groups if group.file == file]
                )
                for file in self.files
            ]
            rows: _Rows = TableRows(self.files, tables, self._image)
        elif again:
            spool = spooled(
                ["rows", ".".join(self._image), *map(stamp, self.files)],
                lambda: self._pieces(advance),
                size=size,
                what=self._what,
            )
            rows = _SpooledRows(self, spool)
        else:
            return self
        rows.labels, rows.classes = self.labels, self.classes
        return rows

    def _opened(self, place: int) -> TableRows:
        group = self._groups[place]
        return TableRows([group.file], [self._read(group)], self._image)

    def _pieces(self, advance: Callable[[int], None] | None) -> Iterator[Stored]:
        """Yield all encoded images in order."""
        for place, end in enumerate(self._group_ends):
            rows = self._opened(place)
            yield from map(rows.stored, range(len(rows)))
            if advance is not None:
                advance(end)


class _SpooledRows(_Rows):
    """Rows whose images are in a spool."""

    def __init__(self, rows: _Rows, spool: Spool) -> None:
        self.files, self.ends = rows.files, rows.ends
        self._spool = spool
        self.place = spool.path.parent

    def stored(self, index: int) -> Stored:
        return self._spool.read(index)

    def stored_size(self, index: int) -> int:
        size = self._spool.size(index)
        return super().stored_size(index) if size is None else size
