"""Collapse: a critic that says the same of everything is reported once, and no other is."""

from __future__ import annotations

import pytest

from gentk.engine import Collapse
from gentk.engine.collapse import PATIENCE


def row(spread, gap, name="xz", mean=2.0):
    """One logged step of a score."""
    return {
        f"spread/{name}/data": spread,
        f"spread/{name}/model": spread,
        f"score/{name}/data": mean,
        f"score/{name}/model": mean + gap,
    }


def test_a_flat_score_is_told_once_and_after_a_while():
    """Same for all samples and on both sides, many steps in a row."""
    watch = Collapse()
    assert watch([row(0.0, 0.0)] * (PATIENCE - 1)) is None
    message = watch([row(0.0, 0.0)])
    assert message is not None and "the critic's score xz" in message and "--optimizer" in message
    assert watch([row(0.0, 0.0)] * 3 * PATIENCE) is None


def test_a_score_that_tells_anything_is_not_flat():
    """Spread within a side, a gap between the sides, or a short while: no collapse."""
    for other in (row(1e-2, 0.0), row(0.0, 1e-2)):
        assert Collapse()([other] * 5 * PATIENCE) is None
    watch = Collapse()
    for _ in range(5):
        assert watch([row(0.0, 0.0)] * (PATIENCE - 1) + [row(1.0, 0.0)]) is None


@pytest.mark.parametrize("side", ["data", "model"])
def test_a_score_that_tells_samples_of_one_side_apart_is_not_flat(side):
    """Either of the networks still learns from it."""
    one_sided = row(0.0, 0.0) | {f"spread/xz/{side}": 1e-2}

    assert Collapse()([one_sided] * 5 * PATIENCE) is None


def test_only_the_score_that_is_flat_is_named():
    """Others of the same critic go on."""
    steps = [row(0.0, 0.0, "z") | row(1.0, 0.5, "x")] * PATIENCE
    message = Collapse()(steps)
    assert message is not None and "score z has" in message


def test_a_run_without_critic_has_no_scores():
    """Nothing to watch."""
    assert Collapse()([{"loss": 1.0}] * 1000) is None
