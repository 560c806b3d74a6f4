"""Sources: where images come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from . import returned
from .promise import Promising, promises
from .records import Records, Report
from .values import ImageShape

__all__ = ["Source"]


class Source(Promising, ABC):
    """Where images come from: a folder, a file, a named data set.

    The constructor takes the argument of the name (a path, say) and the source's own options. What
    all data share (`size`, `channels`, `limit`, `split`, `validation`, ...) is applied by
    `gentk.data.View`.

    Attributes:
        shape: The shape of its images where all have one that is known without opening them.
    """

    _kind = "data"

    shape: ClassVar[ImageShape | None] = None

    @promises(returned.records)
    @abstractmethod
    def records(self, split: Literal["train", "test"]) -> Records:
        """Return the images of one split, undecoded.

        Raises:
            NoSplit: The data have no such split: others are judged against then, and that is told.
            DataError: There are no images, or they cannot be read.
        """

    @promises(returned.held_out)
    def validation(self) -> Records | None:
        """Return the images that the data hold out for validation, undecoded; None for none.

        They are what `split=validation` gives where `validation=N` does not hold out others.
        """
        return None

    @promises(returned.report)
    def report(self) -> Report:
        """Return what is to be said of the data; asked for after the records of a split."""
        return Report()
