"""`sliced`: check values, sorting, weights, its gradient."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption
from gentk_fields.sliced import Sliced, sliced_wasserstein


def draw(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


ONE = torch.ones(1, 1, dtype=torch.float64)


def test_check_value():
    """(0, 1, 3) against (1, 2, 7) is 6, whatever the order."""
    for x in (column(0, 1, 3), column(3, 0, 1)):
        assert sliced_wasserstein(x, column(7, 1, 2), ONE).item() == pytest.approx(6, abs=1e-12)


def test_it_sorts_along_each_direction():
    """Of equal numbers; its gradient is the slope of its value, in the data too."""
    x, y, along = draw(9, 4), draw(9, 4, seed=1) + 1, draw(4, 7, seed=2)
    wanted = torch.stack(
        [((x @ t).sort().values - (y @ t).sort().values).square().mean() for t in along.T]
    ).mean()
    assert sliced_wasserstein(x, y, along).item() == pytest.approx(wanted.item(), rel=1e-12)
    ends = x.requires_grad_(), y.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: sliced_wasserstein(a, b, along), ends)
    third = torch.full((9,), 1 / 9, dtype=torch.float64)
    for weights in (None, third):
        fewer = x, y[:5].detach().requires_grad_()
        assert torch.autograd.gradcheck(
            lambda a, b, w=weights: sliced_wasserstein(a, b, along, w), fewer
        )


def test_weights_and_other_numbers():
    """A sample twice is one of double weight; twice the data are the data."""
    x, y = column(0, 1, 3), column(1, 2, 4, 8)
    twice = sliced_wasserstein(column(0, 1, 3, 3), y, ONE)
    doubled = sliced_wasserstein(x, column(1, 2, 7, 7), ONE, torch.tensor([0.25, 0.25, 0.5]))
    assert twice.item() == pytest.approx((1 + 1 + 1 + 25) / 4)
    assert doubled.item() == pytest.approx((1 + 1 + 2 * 16) / 4)
    z = draw(6, 3)
    many = sliced_wasserstein(z, y.repeat(1, 3)[:3].repeat(2, 1), draw(3, 5, seed=1))
    assert many.item() == pytest.approx(
        sliced_wasserstein(z, y.repeat(1, 3)[:3], draw(3, 5, seed=1)).item(), rel=1e-9
    )


def test_layers_add_up():
    """layers=each is the sum of the distances of layers, of directions of their own."""
    real, made = ({"a": draw(8, 3, seed=s), "b": draw(8, 4, seed=s + 2)} for s in (0, 1))
    loss = Sliced(projections=6)
    data = loss.reference(loss.summarise(real))
    whole = loss(data, loss.statistics(loss.summarise(made)))["sliced"]
    parts = [
        sliced_wasserstein(made[name], real[name], loss.directions[index, real[name].shape[1]])
        for index, name in enumerate(real)
    ]
    assert whole.item() == pytest.approx(sum(parts).item(), rel=1e-12)


def test_projections_are_one_or_more():
    with pytest.raises(BadOption, match="projections"):
        Sliced(projections=0)
