"""The Frechet distance against closed forms, and where covariances are singular."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import DataError
from gentk_moments.frechet import FrechetDistance, frechet_distance


def test_one_dimensional_closed_form():
    """N(0, 1) against N(1, 4) is 1 + 1 + 4 - 2 * 2 = 2."""
    one = torch.ones(1, 1, dtype=torch.float64)
    got = frechet_distance(torch.zeros(1), one, torch.ones(1), 4 * one)

    assert got.item() == pytest.approx(2, abs=1e-12)


def test_commuting_covariances_closed_form():
    """For diagonal covariances it is |m|^2 + sum (sqrt a - sqrt b)^2."""
    a, b = torch.rand(20, dtype=torch.float64) + 0.1, torch.rand(20, dtype=torch.float64)
    got = frechet_distance(torch.zeros(20), a.diag(), torch.full((20,), 0.5), b.diag())

    assert got.item() == pytest.approx((20 * 0.25 + ((a.sqrt() - b.sqrt()) ** 2).sum()).item())


def test_a_set_against_itself_is_zero_even_when_singular():
    """Fewer samples than features: finite, real, and zero against itself."""
    metric = FrechetDistance()
    summary = metric.summarise({"x": torch.randn(10, 64)})

    assert metric.figures(summary, summary)[0].value == pytest.approx(0, abs=1e-6)


def test_it_is_symmetric_and_grows_with_the_shift():
    """FD(a, b) = FD(b, a), and a shift of the mean adds its square."""
    metric = FrechetDistance()
    a, b = torch.randn(300, 8), torch.randn(300, 8) * 1.5
    s = [metric.summarise({"x": rows}) for rows in (a, b, b + 3)]
    ab, ba = metric.figures(s[0], s[1])[0].value, metric.figures(s[1], s[0])[0].value
    near, far = ab, metric.figures(s[0], s[2])[0].value

    assert ab == pytest.approx(ba, rel=1e-9)
    shift = (b.mean(0) + 3 - a.mean(0)).square().sum() - (b.mean(0) - a.mean(0)).square().sum()
    assert far - near == pytest.approx(shift.item(), rel=1e-4)


def test_one_image_is_too_few():
    """A covariance needs two samples; the error says so."""
    metric = FrechetDistance()
    one = metric.summarise({"x": torch.randn(1, 3)})
    with pytest.raises(DataError, match="at least 2"):
        metric.figures(one, one)
