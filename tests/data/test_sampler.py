"""Tests of gentk.data.sampler."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gentk.data import Sampler
from gentk.errors import BadOption, CheckpointError, DataError

SIZES = (st.integers(1, 40), st.integers(1, 100), st.integers(0, 2**33))


@given(*SIZES, st.integers(0, 12))
def test_resume_is_exact(count: int, batch: int, seed: int, taken: int) -> None:
    """After restoring a state, through JSON and into another seed, the sequence goes on."""
    sampler = Sampler(count, batch, seed)
    for _ in range(taken):
        next(sampler)
    state = json.loads(json.dumps(sampler.state_dict()))
    resumed = Sampler(count, batch, seed + 1)
    next(resumed)
    resumed.load_state_dict(state)
    for _ in range(5):
        assert torch.equal(next(sampler), next(resumed))


@given(*SIZES)
def test_every_epoch_is_a_permutation(count: int, batch: int, seed: int) -> None:
    """Cut at multiples of `count`, the stream of minibatches is one permutation after another."""
    sampler = Sampler(count, batch, seed)
    stream = torch.cat([next(sampler) for _ in range(3 * count // batch + 1)])
    for epoch in stream[: len(stream) // count * count].view(-1, count):
        assert sorted(epoch.tolist()) == list(range(count))
    assert sampler.epoch == len(stream) // count


def test_orders_depend_on_seed_and_epoch() -> None:
    """Two epochs, and two seeds, have different orders; the same seed has the same."""
    first = Sampler(1000, 1000, 3)
    one, two = next(first), next(first)
    assert not torch.equal(one, two)
    assert not torch.equal(one, next(Sampler(1000, 1000, 4)))
    assert torch.equal(one, next(Sampler(1000, 1000, 3)))


def test_batch_size_may_change_on_resume() -> None:
    """The state counts images, so that another batch size continues the same stream."""
    whole = next(Sampler(10, 24, 0))
    first = Sampler(10, 8, 0)
    start = next(first)
    second = Sampler(10, 16, 0)
    second.load_state_dict(first.state_dict())
    assert torch.equal(torch.cat([start, next(second)]), whole)


def test_global_random_state_is_untouched() -> None:
    """Drawing minibatches does not move torch's generator."""
    before = torch.get_rng_state()
    next(Sampler(10, 4, 0))
    assert torch.equal(before, torch.get_rng_state())


def test_refusals() -> None:
    """No images, an empty batch, a negative seed and another data set's state are refused."""
    with pytest.raises(DataError, match="no images"):
        Sampler(0, 4)
    with pytest.raises(BadOption, match="batch=0"):
        Sampler(4, 0)
    with pytest.raises(BadOption, match="seed=-1"):
        Sampler(4, 4, -1)
    with pytest.raises(CheckpointError, match="9 images and there are now 8"):
        Sampler(8, 4).load_state_dict(Sampler(9, 4).state_dict())
