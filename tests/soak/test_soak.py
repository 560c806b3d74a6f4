"""A share of the soak: every kind of fault, a few times; `make soak` tries them in numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import soak

from gentk import journal

SHARE = {
    "kills": 2,
    "flips": 6,
    "full disks": 3,
    "hostile files": 20,
    "fuzz": 100,
    "commands": 6,
    "owners": 1,
}


@pytest.mark.parametrize("kind", SHARE)
def test_a_few_of_each_kind_hold(kind):
    """Each in its own folder; what did not hold is listed."""
    assert soak.trial(kind, SHARE[kind], seed=1).failures == []


def test_the_page_says_what_the_rows_say():
    """It is rendered from them."""
    assert soak.PAGE.read_text() == soak.page(journal.read(soak.ROWS))
