"""Randomness: what a run's seed is for, and what is lent."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from gentk.engine import randomness

USES = ("training", "generator", "encoder", "critic", "standing", "sample", "grid", "estimator")
CPU = torch.device("cpu")


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_every_use_of_every_seed_has_a_seed_of_its_own(one, two):
    """Derived seeds are torch's to take, always the same, and differ by use and by seed."""
    seeds = {(seed, use): randomness.derive(seed, use) for seed in {one, two} for use in USES}

    assert len(set(seeds.values())) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds.values())
    assert all(randomness.derive(*key) == seed for key, seed in seeds.items())


def test_lent_randomness_is_put_back_and_starts_at_its_seed():
    """What the body draws is the seed's, and what comes after it is what would have come anyway."""
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with randomness.lent(CPU, seed=2):
        inside = torch.rand(3)
    after = torch.rand(3)
    torch.manual_seed(2)

    assert torch.equal(after, expected)
    assert torch.equal(inside, torch.rand(3))
