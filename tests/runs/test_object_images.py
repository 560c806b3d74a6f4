"""Images of one's own: what is taken for their classes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from gentk.errors import DataError
from gentk.runs.objects.identity import Own
from gentk.runs.objects.images import OwnImages

PHOTOS = torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class Pairs(Dataset):
    """Images and what is said of each; `targets` as data sets of torchvision list them."""

    def __init__(self, said=None, targets=None):
        self.said = said
        if targets is not None:
            self.targets = targets

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return PHOTOS[index] if self.said is None else (PHOTOS[index], self.said[index])


def labels_of(subject, labels=None):
    return OwnImages(Own(subject, labels=labels)).records("train").labels


SUBJECTS = {"a tensor": PHOTOS, "an array": PHOTOS.numpy(), "a data set": Pairs([7] * 10)}


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (list(range(50)), "10 images and 50 labels"),
        ([0, 1, 2], "10 images and 3 labels"),
        ([], "labels"),
        (torch.eye(10, dtype=torch.int64), "10 images and 100 labels"),
        (np.zeros((5, 2), dtype=int), r"\(5, 2\) and 10 images"),
        ([0.9] * 10, "float64"),
        (torch.ones(10), "float32"),
        (["cat"] * 10, "integers"),
    ],
    ids=["too many", "too few", "none", "one-hot", "two columns", "fractions", "floats", "names"],
)
def test_labels_are_checked_whatever_holds_the_images(subject, labels, words):
    """One integer an image, for data sets of torch as for arrays."""
    with pytest.raises(DataError, match=words):
        labels_of(subject, labels)


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
@pytest.mark.parametrize("form", [list, np.asarray, torch.tensor, tuple])
def test_labels_beside_images_stand_in_place_of_their_own(subject, form):
    """As a list, a tuple, an array or a tensor."""
    assert labels_of(subject, form([i % 3 for i in range(10)])) == [i % 3 for i in range(10)]


INDICES = [i % 4 for i in range(10)]


@pytest.mark.parametrize(
    "targets",
    [INDICES, np.asarray(INDICES), torch.tensor(INDICES), [torch.tensor(i) for i in INDICES]],
    ids=["list", "array", "tensor", "list of tensors"],
)
def test_classes_are_those_that_a_data_set_lists_or_its_items_have(targets):
    """Whatever the whole numbers are held by, in a column of one too."""
    assert labels_of(Pairs(targets=targets)) == INDICES
    assert labels_of(Pairs(said=targets)) == INDICES
    column = [np.asarray([int(i)]) for i in targets]
    assert labels_of(Pairs(targets=np.stack(column))) == INDICES
    assert labels_of(Pairs(said=column)) == INDICES


NONE = {
    "several attributes": torch.ones(10, 3, dtype=torch.int64),
    "fractions": [0.9] * 10,
    "measurements": torch.linspace(0, 5, 10),
    "names": ["cat"] * 10,
    "boxes": [{"boxes": []}] * 10,
    "lists": [[1, 2]] * 10,
    "some of them nothing": [1, 2, *[None] * 8],
}


@pytest.mark.parametrize("said", NONE.values(), ids=NONE)
def test_what_is_no_single_whole_number_an_image_is_no_class(said):
    """Listed or an item's; where the list is none, the items' own classes count."""
    assert labels_of(Pairs(targets=said)) is None
    assert labels_of(Pairs(said=said)) is None
    assert labels_of(Pairs(said=INDICES, targets=said)) == INDICES
    assert labels_of(Pairs(said=INDICES, targets=3)) == INDICES


def test_targets_that_are_one_number_are_no_list_of_classes():
    """Nor is a number of no dimension."""
    for one in (7, torch.tensor(7), np.array(7)):
        assert labels_of(Pairs(said=INDICES, targets=one)) == INDICES
