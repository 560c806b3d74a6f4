"""Tables: images in the rows of columnar files, in the layout of Hugging Face data sets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa

from ...data.labels import NoLabels, Numbering, numbering
from ...data.splits import Split
from ...errors import DataError, NoSplit
from ...interfaces import Records, Report, Source
from .columns import Column, Columns, choose, values_of
from .layouts import Layout, lay_out
from .rows import GroupedRows, TableRows

__all__ = ["Tables"]


class Tables(Source):
    """Encoded images in the files of one columnar format.

    Args:
        path: A file, a folder, or a pattern.
        image: Name of the column of images; None to find it.
        label: Name of the column of labels; None to find it.

    Attributes:
        kind: What the source is called.
        suffix: What its files end in.
    """

    kind: ClassVar[str]
    suffix: ClassVar[str]

    def __init__(self, path: Path, *, image: str | None = None, label: str | None = None) -> None:
        self._path = path.expanduser()
        self._image = image
        self._label = label
        self._notes: list[str] = []

    @abstractmethod
    def _schema(self, file: Path) -> pa.Schema:
        """Return the schema of a file."""

    @abstractmethod
    def _read(self, file: Path, columns: Sequence[Column]) -> pa.Table:
        """Return columns of a file."""

    def _images(self, files: list[Path], column: Column) -> TableRows | GroupedRows:
        """Return the images of files."""
        return TableRows(files, [self._read(file, [column]) for file in files], column)

    @abstractmethod
    def _rows(self, file: Path) -> int:
        """Return the number of rows of a file."""

    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split.

        Raises:
            DataError: When the files are missing or damaged or have no images.
        """
        layout = self._layout
        if split == "train" or layout.named != "train":
            return self._records(layout.named)
        for held_out in ("test", "validation"):
            if held_out in layout.files:
                return self._records(held_out)
        raise NoSplit(
            f"{self.kind}:{self._path} has no test split: name the file of the test images (it is "
            f"found if it is called like this one, with test for train), or hold images out with "
            f"validation=N and ask for split=validation"
        )

    def validation(self) -> Records | None:
        """Return the images of the validation files, if there are any."""
        return self._records("validation") if "validation" in self._layout.files else None

    def report(self) -> Report:
        """Return the splits, and what was chosen and left out."""
        layout = self._layout
        splits = {}
        for split in ("train", "validation", "test"):
            files = layout.files.get(split, [])
            if files and len(layout.files) > 1:
                with self._readable():
                    splits[split] = sum(map(self._rows, files))
        return Report(splits, (*layout.notes, *self._notes))

    @cached_property
    def _layout(self) -> Layout:
        return lay_out(self._path, self.kind, self.suffix)

    @cached_property
    def _columns(self) -> Columns:
        with self._readable():
            schema = self._schema(self._layout.files[self._layout.named][0])
        columns = choose(schema, f"{self.kind}:{self._path}", self._image, self._label)
        self._notes += columns.notes
        return columns

    @cached_property
    def _numbering(self) -> Numbering | None:
        """The labels of all splits, from the first column that has some."""
        for column in self._columns.labels:
            where = f"{self.kind}:{self._path}: column {'.'.join(column)}"
            try:
                done = numbering(self._values(column), self._columns.names.get(column))
            except NoLabels as error:
                if self._columns.asked:
                    raise DataError(
                        f"{where} has no labels ({error}): name the one that has, label=NAME"
                    ) from error
                self._notes.append(f"{where} is not used as labels: {error}")
                continue
            if done.new:
                shown = ", ".join(done.new[:6]) + (", ..." if len(done.new) > 6 else "")
                self._notes.append(
                    f"{where}: {len(done.new)} class{'es' * (len(done.new) != 1)} not among the train "
                    f"images: {shown}"
                )
            return done
        return None

    def _values(self, column: Column) -> dict[str, list[Any]]:
        """Return the values of a column, by split; other splits than the named one may lack it."""
        values: dict[str, list[Any]] = {}
        for split, files in self._layout.files.items():
            try:
                tables = [self._read(file, [column]) for file in files]
                values[split] = [v for t in tables for v in values_of(t, column).to_pylist()]
            except (pa.ArrowException, OSError, KeyError) as error:
                if split == self._layout.named:
                    raise self._damaged(error) from error
                self._notes.append(
                    f"the classes of {files[0]}, the {split} split, cannot be read, so those of "
                    f"{self._path} are numbered without them"
                )
        return values

    def _records(self, split: Split) -> Records:
        columns, files = self._columns, self._layout.files[split]
        labels = self._numbering
        with self._readable():
            rows = self._images(files, columns.image)
        if labels is not None and split in labels.labels:
            rows.labels, rows.classes = labels.labels[split], labels.classes
        return rows

    def _readable(self) -> _Readable:
        return _Readable(self)

    def _damaged(self, error: BaseException) -> DataError:
        return DataError(
            f"{self.kind}:{self._path} cannot be read ({error}): the file is damaged, or is not a "
            f"{self.kind} file"
        )


class _Readable:
    """Errors of reading a file become one sentence."""

    def __init__(self, source: Tables) -> None:
        self._source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, pa.ArrowException | OSError | KeyError):
            raise self._source._damaged(error) from error
