"""Tests of gentk.data.view and gentk.data.permutation."""

from __future__ import annotations

from typing import Any, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gentk.data import View
from gentk.data.permutation import permutation
from gentk.errors import BadOption, DataError


@given(st.integers(2, 300), st.data())
def test_train_and_validation_partition_the_train_images(count: int, data: st.DataObject) -> None:
    """The two splits are disjoint, ascending, of the sizes asked for, and together are all."""
    held = data.draw(st.integers(1, count - 1))
    seed = data.draw(st.integers(0, 2**40))
    train = View(validation=held, split_seed=seed).select(count)
    validation = View(split="validation", validation=held, split_seed=seed).select(count)
    assert len(validation) == held
    assert sorted([*train, *validation]) == list(range(count))
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()


@given(st.integers(1, 200), st.integers(1, 300), st.integers(0, 50), st.integers(0, 9))
def test_limit_is_a_draw_from_the_split(count: int, limit: int, held: int, seed: int) -> None:
    """A limit takes that many of a split, in its order, and more of them contain fewer."""
    held = min(held, count - 1)
    whole = View(validation=held, split_seed=seed).select(count)
    few = View(limit=limit, validation=held, split_seed=seed).select(count)
    more = View(limit=limit + 1, validation=held, split_seed=seed).select(count)
    assert len(few) == min(limit, len(whole))
    assert (np.diff(few) > 0).all()
    assert set(few) <= set(more) <= set(whole)


def test_limit_takes_of_every_class() -> None:
    """Where images are sorted by class, a limit has some of each; its seed is the split's."""
    labels = np.repeat(np.arange(10), 100)
    counts = np.bincount(labels[View(limit=200).select(1000)], minlength=10)
    assert counts.min() >= 10
    assert list(View(limit=9).select(1000)) != list(View(limit=9, split_seed=1).select(1000))
    assert list(View(limit=5).select(20)) == list(np.sort(permutation(20, 5, 0)[:5]))


def test_more_validation_images_contain_fewer() -> None:
    """The validation images for N are among those for any larger N: one permutation decides."""
    few = View(split="validation", validation=10, split_seed=4).select(100)
    many = View(split="validation", validation=30, split_seed=4).select(100)
    assert set(few) < set(many)


def test_test_split_ignores_validation() -> None:
    """Holding out train images leaves the test split whole."""
    assert list(View(split="test", validation=5).select(9)) == list(range(9))


def test_split_seeds_differ_and_are_pinned() -> None:
    """Splits depend on the seed, and a recorded one is the same in every version."""
    one = View(split="validation", validation=5, split_seed=0).select(1000)
    two = View(split="validation", validation=5, split_seed=1).select(1000)
    assert list(one) != list(two)
    assert list(permutation(10, 0, 0)) == [3, 2, 1, 8, 6, 0, 7, 4, 5, 9]


def test_permutations_are_uniform() -> None:
    """Over many keys each element comes first about equally often (chi-square, 9 degrees)."""
    firsts = np.bincount([permutation(10, 7, key)[0] for key in range(5000)], minlength=10)
    assert ((firsts - 500) ** 2 / 500).sum() < 33.7  # the 0.9999 quantile


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"limit": 0},
        {"crop": -1},
        {"validation": -1},
        {"split_seed": -1},
        {"memory": -1.0},
        {"channels": 2},
        {"split": "dev"},
    ],
)
def test_values_out_of_range_are_refused(options: dict[str, Any]) -> None:
    """An option out of its range is named in the refusal."""
    with pytest.raises(BadOption, match=next(iter(options))):
        View(**options)


def test_empty_splits_are_refused() -> None:
    """No validation images asked for, too many of them, or no images: each says what to do."""
    with pytest.raises(DataError, match="validation=N"):
        View(split="validation").select(10)
    with pytest.raises(DataError, match="none of the 10 training images"):
        View(validation=10).select(10)
    with pytest.raises(DataError, match="no images"):
        View().select(0)


def test_options_resolve_at_run_time() -> None:
    """The registry can read the type of every option."""
    assert get_type_hints(View)["size"] == int | None
