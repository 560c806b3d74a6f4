"""`mind`, `is` and `memorised` against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from gentk.errors import BadOption, DataError, Incompatible
from gentk.summary import Samples
from gentk_metrics.memorised import Memorised, memorised
from gentk_metrics.score import InceptionScore, inception_score
from gentk_metrics.sliced import SlicedDistance, sliced


def rows(*values: torch.Tensor) -> list[Samples]:
    """Rows as summaries."""
    return [Samples.of({"x": value}) for value in values]


def test_mind_of_a_shift_is_three_times_its_square():
    """Along u a shift s moves all by u.s, whose square is |s|^2 / D on average."""
    x = torch.randn(200, 16, dtype=torch.float64)
    (figure,) = SlicedDistance(projections=20_000).values(*rows(x, x + 0.5))

    assert figure.value == pytest.approx(3 * 16 * 0.25, rel=0.02)
    assert SlicedDistance().values(*rows(x, x.flip(0)))[0].value == pytest.approx(0, abs=1e-20)


def test_mind_of_equal_counts_is_the_sorted_difference():
    """The published formula, whatever the blocks."""
    x, y = torch.randn(50, 6, dtype=torch.float64), torch.randn(50, 6, dtype=torch.float64) * 2
    u = torch.nn.functional.normalize(torch.randn(30, 6, dtype=torch.float64), dim=1)
    expected = ((x @ u.T).sort(0).values - (y @ u.T).sort(0).values).square().mean().item()

    assert sliced(x, y, u) == pytest.approx(expected)


def test_mind_of_unequal_counts_is_that_of_repeated_ones(monkeypatch):
    """Quantile functions do not change when every sample is repeated."""
    monkeypatch.setattr("gentk_metrics.sliced.BLOCK", 100)
    x, y = torch.randn(6, 4, dtype=torch.float64), torch.randn(4, 4, dtype=torch.float64)
    u = torch.nn.functional.normalize(torch.randn(9, 4, dtype=torch.float64), dim=1)
    even = sliced(x.repeat(2, 1), y.repeat(3, 1), u)

    assert sliced(x, y, u) == pytest.approx(even)
    assert sliced(y, x, u) == pytest.approx(even)


def test_the_score_is_one_and_the_number_of_classes():
    """One where the classifier says the same of all; K for K sure and balanced classes."""
    same = torch.randn(1, 10).repeat(50, 1)
    sure = torch.eye(10).repeat(20, 1) * 1000

    assert inception_score(same, 5).tolist() == pytest.approx([1.0] * 5)
    assert inception_score(sure, 10).tolist() == pytest.approx([10.0] * 10)
    score, real = InceptionScore(splits=2).values(*rows(sure, same))
    assert (score.name, real.name, score.direction) == ("is", "is/reference", "higher")
    assert score.value == pytest.approx(1) and real.value == pytest.approx(10, rel=0.05)


def test_the_score_takes_logits_only():
    """Maps and several layers are no logits; the sentence names some that are."""
    with pytest.raises(Incompatible, match="layers=classifier"):
        InceptionScore().summarise({"x": torch.rand(4, 3, 2, 2)})
    with pytest.raises(Incompatible, match="layers=classifier"):
        InceptionScore().summarise({"x": torch.rand(4, 3), "y": torch.rand(4, 3)})


def test_memorised_is_a_half_for_fresh_data_and_one_for_copies():
    """Fresh samples lie as far from the training set as held-out data; copies lie on it."""
    draw = torch.Generator().manual_seed(0)
    train, held, fresh, far = (torch.randn(400, 5, generator=draw) for _ in range(4))
    metric = Memorised()
    values = {}
    for name, made in (("fresh", fresh), ("copies", train[:100]), ("far", far + 50)):
        (figure,) = metric.values(*rows(held, made), train=rows(train)[0])
        values[name] = figure
    assert abs(values["fresh"].value - 0.5) < 3 * values["fresh"].error < 0.15
    assert values["copies"].value == 1 and values["far"].value == 0


def test_memorised_counts_ties_half_and_its_error_covers():
    """A tie says nothing; 1.96 errors cover the half of equal laws."""
    assert memorised(torch.ones(5), torch.ones(7))[0] == 0.5
    draw = torch.Generator().manual_seed(0)
    hits = 0
    for _ in range(200):
        value, error = memorised(torch.rand(80, generator=draw), torch.rand(90, generator=draw))
        hits += abs(value - 0.5) <= 1.96 * error
    assert 0.9 <= hits / 200 <= 1


def test_what_is_missing_or_out_of_range_is_one_sentence():
    """Each says what to type."""
    ten = rows(torch.randn(10, 3))[0]
    for call in (
        lambda: Memorised().values(ten, ten),
        lambda: Memorised().values(ten, ten, train=ten),
        lambda: InceptionScore(splits=11).values(ten, ten),
    ):
        with pytest.raises(DataError, match="type"):
            call()
    for make in (lambda: InceptionScore(splits=0), lambda: SlicedDistance(projections=0)):
        with pytest.raises(BadOption, match="write"):
            make()
    assert math.isfinite(InceptionScore(splits=1).values(ten, ten)[0].value)
