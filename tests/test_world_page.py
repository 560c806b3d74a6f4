"""docs/results/world.md: every pair has its row, the page is what they render to, parts hold today."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import pytest

from gentk.registry import Registry
from gentk.testing.exactness import LIMIT, deviations
from gentk.testing.partner import with_partners

RESULTS = Path(__file__).parents[1] / "docs" / "results"
sys.path.append(str(RESULTS))

import world  # noqa: E402
from world_cases import cases, combinations  # noqa: E402


def test_the_page_is_what_its_rows_render_to():
    """Byte for byte; and what it says is kept is kept."""
    head, rows = world.read()
    page = world.page(head, rows)
    assert page == (RESULTS / "world.md").read_text(encoding="utf-8"), "make results-world"
    assert "**no**" not in page


def test_every_loss_with_every_estimator_and_penalty_has_its_row():
    """What has come since is missing: make results-world."""
    known = {case.key for case in cases(with_partners(Registry()))}
    rows = [row for row in world.read()[1] if row.group != "processes"]
    assert {(row.group, row.loss, row.beside) for row in rows} == known
    assert all(row.refused or set(row.gradient) == {"2", "4"} for row in rows)


COMBINATIONS = list(combinations())


@pytest.mark.parametrize("case", COMBINATIONS, ids=[case.beside for case in COMBINATIONS])
def test_combinations_are_exact(case, one_thread):
    """Batch and spectral norm, gradient penalties, critics that summarise, several losses: two ranks."""
    registry = with_partners(Registry())
    errors = deviations(partial(case.compose, registry), 2)
    assert max(errors.values()) <= LIMIT, errors
