"""Seeds: which whole numbers they are, and the sentence that refuses others."""

from __future__ import annotations

from numbers import Integral

from .errors import BadOption

__all__ = ["SEEDS", "check_seed"]

SEEDS = range(2**63)
"""All seeds: what torch's and numpy's generators, and a recipe's TOML, all take."""


def check_seed(seed: int, name: str = "seed") -> None:
    """Raise `BadOption` for a number that is no seed.

    Args:
        seed: The number.
        name: What to call it in the message, such as `loss 'mmd': seed`.
    """
    if not isinstance(seed, Integral):
        raise BadOption(f"{name} is a whole number, not {seed!r}; type {name}=0")
    # Not `in`: a range looks for numpy's integers one by one.
    if not SEEDS.start <= seed < SEEDS.stop:
        raise BadOption(f"{name}={seed} is out of range; type a whole number from 0 to 2^63 - 1")
