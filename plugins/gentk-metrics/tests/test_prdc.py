"""Precision, recall, density and coverage on constructed sets, and against their definition."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption, DataError
from gentk.summary import Samples
from gentk_metrics.prdc import NAMES, PRDC, prdc


def figures(real: torch.Tensor, made: torch.Tensor, k: int = 3) -> dict[str, float]:
    """The four figures of rows, by name."""
    found = PRDC(k=k).values(Samples.of({"x": real}), Samples.of({"x": made}))
    return {figure.name: figure.value for figure in found}


def test_identical_sets_have_one_also_where_images_are_repeated():
    """`<=`: a set against itself is precise, recalled and covered; so is one repeated image."""
    for rows in (torch.randn(60, 7) + 100, torch.ones(20, 4) * 3.3, torch.rand(8, 3).repeat(6, 1)):
        found = figures(rows, rows.clone())
        assert found["precision"] == found["recall"] == found["coverage"] == 1


def test_far_sets_have_none():
    """Nothing of one is near the other."""
    assert set(figures(torch.randn(50, 5), torch.randn(40, 5) + 100).values()) == {0.0}


def test_one_repeated_real_image_is_precise_and_recalls_nothing():
    """The row of sanity: every sample is real, and only its own neighbourhood is reached."""
    real = torch.randn(200, 6)
    found = figures(real, real[:1].repeat(100, 1))

    assert found["precision"] == 1 and found["recall"] == pytest.approx(1 / 200)
    assert found["coverage"] < 0.2


def test_half_of_the_modes_are_half_recalled():
    """Two far clusters, samples in one: precision 1, recall and coverage about a half."""
    a, b = torch.randn(300, 4), torch.randn(300, 4) + 50
    found = figures(torch.cat([a, b]), torch.randn(600, 4), k=5)

    assert found["precision"] > 0.9 and found["density"] == pytest.approx(1, abs=0.15)
    assert 0.4 < found["recall"] <= 0.5 and 0.4 < found["coverage"] <= 0.5


@pytest.mark.parametrize("block", [2**24, 50])
def test_it_is_the_definition_whatever_the_blocks(monkeypatch, block):
    """Against full matrices of distances."""
    monkeypatch.setattr("gentk_metrics.neighbours.BLOCK", block)
    draw = torch.Generator().manual_seed(0)
    real = torch.randn(70, 5, generator=draw, dtype=torch.float64)
    made = torch.randn(40, 5, generator=draw, dtype=torch.float64) * 0.8 + 0.3
    k = 4
    rr, mm, mr = torch.cdist(real, real), torch.cdist(made, made), torch.cdist(made, real)
    around_real, around_made = (d.kthvalue(k + 1, dim=1).values for d in (rr, mm))
    expected = (
        (mr <= around_real).any(1).double().mean(),
        (mr <= around_made[:, None]).any(0).double().mean(),
        (mr <= around_real).double().sum() / (k * len(made)),
        (mr.amin(0) <= around_real).double().mean(),
    )

    assert prdc(real, made, k) == pytest.approx([float(value) for value in expected])


def test_names_and_refusals():
    """Higher is better for all four; too few images and k=0 are refused."""
    found = PRDC().values(*[Samples.of({"x": torch.randn(9, 2)})] * 2)
    assert tuple(figure.name for figure in found) == NAMES
    assert {figure.direction for figure in found} == {"higher"}
    with pytest.raises(DataError, match="9 samples and 9 of the reference; type --metric prdc,k=1"):
        PRDC(k=9).values(*[Samples.of({"x": torch.randn(9, 2)})] * 2)
    with pytest.raises(BadOption, match="k=5"):
        PRDC(k=0)
