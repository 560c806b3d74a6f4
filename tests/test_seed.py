"""Seeds: the same bounds wherever one can be given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gentk.data.sampler import Sampler
from gentk.errors import BadOption, UsageError
from gentk.recipe import resolve
from gentk.registry import Registry
from gentk.seed import SEEDS, check_seed

BAD = [-1, 2**63, -(2**63), 10**30]


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1, np.int64(2**63 - 1)])
def test_seeds_are_whole_numbers_of_63_bits(seed):
    """Both ends are seeds, for torch and numpy too."""
    check_seed(seed)
    torch.Generator().manual_seed(int(seed))
    np.random.default_rng(int(seed))


@pytest.mark.parametrize("seed", BAD)
def test_others_are_refused_by_name_everywhere(seed):
    """A recipe, a sampler and a component refuse the same numbers."""
    with pytest.raises(BadOption, match=f"seed={seed}"):
        check_seed(seed)
    with pytest.raises(BadOption, match=f"seed={seed}"):
        Sampler(4, 2, seed)
    with pytest.raises(UsageError, match="seed"):
        resolve("x", {"steps": 1}, {"seed": seed})
    with pytest.raises(BadOption, match=f"mmd.*seed={seed}"):
        Registry().build("loss", f"mmd,seed={seed}")


def test_numpys_integers_are_compared_and_not_searched_for():
    """A numpy integer out of range is refused at once: `in` would try all of a range's numbers."""
    with pytest.raises(BadOption):
        check_seed(np.int64(-1))
    assert (SEEDS.start, SEEDS.stop) == (0, 2**63)
