"""Sources that are wrong in one way each."""

from __future__ import annotations

import threading

import numpy as np

from gentk.data import ArrayRecords
from gentk.interfaces import Source

COUNT = 64


class Rows(ArrayRecords):
    """Noise in two classes."""

    def __init__(self, seed, count=COUNT):
        pixels = np.random.default_rng(seed).integers(0, 256, (count, 9, 9, 3), dtype=np.uint8)
        labels = np.arange(count) % 2
        super().__init__(pixels, labels=labels, classes=["even", "odd"])


class Right(Source):
    """Noise: nothing is wrong with it."""

    rows = Rows

    def records(self, split):
        return self.rows(int(split == "test"))


class Lookalike:
    """It is no source, though it behaves like one."""

    records = Right.records
    validation = Right.validation
    report = Right.report
    rows = Rows


class Empty(Right):
    """Its test split is there and empty."""

    def records(self, split):
        return Rows(0, 0 if split == "test" else COUNT)


class Raw(Right):
    """Its last record is an array."""

    class rows(Rows):
        """Its records."""

        def decode(self, index):
            image = super().decode(index)
            return np.asarray(image) if index == COUNT - 1 else image


class Changing(Right):
    """Its last record is another one each time."""

    class rows(Rows):
        """Its records."""

        def decode(self, index):
            return super().decode(np.random.randint(COUNT) if index == COUNT - 1 else index)


class Homebound(Right):
    """Its last record is decoded by the main thread only."""

    class rows(Rows):
        """Its records."""

        def decode(self, index):
            if index == COUNT - 1 and threading.current_thread() is not threading.main_thread():
                raise RuntimeError("not here")
            return super().decode(index)


class Nameless(Right):
    """Its records are all called alike."""

    class rows(Rows):
        """Its records."""

        def name(self, index):
            return "a record"


class Overlabelled(Right):
    """It has a label too many."""

    class rows(Rows):
        """Its records."""

        def __init__(self, seed):
            super().__init__(seed)
            self.labels = [*self.labels, 0]


class Renumbered(Right):
    """The classes of its test split are called otherwise than those of its train split."""

    def records(self, split):
        rows = super().records(split)
        rows.labels = [0] * len(rows)
        rows.classes = ["a", "b"] if split == "train" else ["b", "a"]
        return rows


class Relabelled(Right):
    """It is labelled by chance."""

    class rows(Rows):
        """Its records."""

        def __init__(self, seed):
            super().__init__(seed)
            self.labels = np.random.randint(2, size=COUNT).tolist()


class Single(Right):
    """It has one image, and that is not enough for a variance."""

    def records(self, split):
        return Rows(0, 1)


WRONG = {
    "test_it_is_of_its_kind": Lookalike,
    "test_it_has_images": Empty,
    "test_records_decode_to_pictures": Raw,
    "test_decoding_is_repeatable": Changing,
    "test_threads_may_decode": Homebound,
    "test_records_have_names": Nameless,
    "test_labels_fit": Overlabelled,
    "test_classes_are_those_of_all_splits": Renumbered,
    "test_it_opens_alike": Relabelled,
    "test_a_run_uses_it": Single,
}
