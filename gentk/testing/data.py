"""The suite of data sources."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from PIL import Image

from ..data.open import open_images
from ..data.view import View
from ..engine import randomness
from ..errors import DataError, GentkError
from ..families.shared import shared_options
from ..interfaces import Records, Source
from ..selection import Selection
from .suite import Suite
from .trial import composed, trained

__all__ = ["DataSuite"]

LIMIT = 16


class DataSuite(Suite):
    """Records that decode to pictures, in a fixed order, with labels that fit."""

    kind = "data"
    interface: ClassVar[type[Any]] = Source

    def make(self, text: str | None = None, *, seed: int = 0, **supplied: Any) -> Any:
        """Build the source; options that all data share are left out."""
        with randomness.lent(torch.device("cpu"), seed=seed):
            return self.names.build(
                self.kind, text or self.spec, shared=shared_options("data"), **supplied
            )[0]

    def prepare(self) -> None:
        """Build the source and ask for its records: files that are not there are told once."""
        super().prepare()
        try:
            self.records()
        except GentkError:
            raise
        except Exception:
            return

    def records(self, split: Literal["train", "test"] = "train") -> Records:
        """Return the records of a split."""
        records: Records = self.make().records(split)
        return records

    def some(self) -> list[int]:
        """Return the indices of a few records."""
        count = len(self.records())
        return sorted({0, count // 3, count // 2, count - 1})

    def test_it_has_images(self) -> None:
        """The train split has images; a test split too, or asking for it raises `DataError`."""
        assert len(self.records()) > 0, "the train split is empty; raise gentk.errors.DataError"
        try:
            tests = self.records("test")
        except DataError:
            return
        except Exception as error:
            raise AssertionError(
                f"the test split ends in {type(error).__name__}; raise gentk.errors.DataError"
            ) from error
        assert len(tests) > 0, "the test split is empty; raise gentk.errors.DataError"

    def test_records_decode_to_pictures(self) -> None:
        """`decode` returns a PIL image that has pixels."""
        records = self.records()
        for index in self.some():
            image = records.decode(index)
            assert isinstance(image, Image.Image), f"record {index} is a {type(image).__name__}"
            assert min(image.size) > 0, f"record {index} has no pixels"

    def test_decoding_is_repeatable(self) -> None:
        """A record is the same picture every time, whoever opens the source."""
        first, second = self.records(), self.records()
        assert len(first) == len(second), "its length changes"
        for index in self.some():
            pixels = [
                np.asarray(r.decode(index)) for r in (first, first, second) if _picture(r, index)
            ]
            assert all(np.array_equal(pixels[0], other) for other in pixels), (
                f"record {index} is another picture every time"
            )

    def test_threads_may_decode(self) -> None:
        """`decode` works in threads, which is how gentk calls it."""
        records = self.records()
        with ThreadPoolExecutor(2) as pool:
            try:
                list(pool.map(records.decode, self.some()))
            except Exception as error:
                raise AssertionError(f"in a thread: {type(error).__name__}: {error}") from error

    def test_records_have_names(self) -> None:
        """`name` says which record is meant, in one line, for messages."""
        records = self.records()
        names = [records.name(index) for index in self.some()]
        assert all(isinstance(name, str) and "\n" not in name for name in names), f"{names}"
        assert len(set(names)) == len(names), f"two records are called alike: {names}"

    def test_labels_fit(self) -> None:
        """There is one label a record, -1 or an index of `classes`; or there are none."""
        records = self.records()
        if records.labels is None:
            return
        assert len(records.labels) == len(records), (
            f"{len(records.labels)} labels of {len(records)} records"
        )
        assert all(isinstance(x, int) and x >= -1 for x in records.labels), "a label is no index"
        if records.classes is not None:
            highest = max(records.labels)
            assert highest < len(records.classes), (
                f"label {highest}, and there are {len(records.classes)} classes"
            )

    def test_classes_are_those_of_all_splits(self) -> None:
        """A label means the same class in the train and in the test split."""
        train = self.records()
        try:
            test = self.records("test")
        except DataError:
            return
        if train.labels is None or test.labels is None:
            return
        assert train.classes == test.classes, (
            f"train has the classes {train.classes}, test {test.classes}: number those of both once"
        )

    def test_it_opens_alike(self) -> None:
        """It opens as a data set, and twice the same data have the same fingerprint."""
        view = View(limit=LIMIT, size=8)
        sets = [open_images(self.make(), self.spec, view) for _ in range(2)]
        assert len(sets[0]) == min(LIMIT, len(self.records())), f"{len(sets[0])} images"
        assert sets[0].fingerprint() == sets[1].fingerprint(), "the fingerprint changes"

    def test_a_run_uses_it(self) -> None:
        """A run of a few steps on it ends well."""
        own = Selection.parse(self.spec)
        options = {"size": "8", "limit": str(LIMIT), **own.options}
        spec = str(Selection(own.name, own.argument, options))
        with composed(self.names, data=spec) as composition:
            trained(composition)


def _picture(records: Records, index: int) -> bool:
    """Say whether a record decodes to a picture at all."""
    return isinstance(records.decode(index), Image.Image)
