"""Denoising feature matching: the formula in float64, and who receives gradient from what."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gentk.errors import BadOption
from gentk.testing import play_of
from gentk_games.denoising import DenoisingLoss

SIZE, COUNT = 5, 6


def play():
    """Leaves of features and scores on both sides, float64."""
    draw = torch.Generator().manual_seed(3)

    def side():
        h = torch.randn(COUNT, SIZE, generator=draw, dtype=torch.float64, requires_grad=True)
        s = torch.randn(COUNT, generator=draw, dtype=torch.float64, requires_grad=True)
        return {"features": {"low": torch.zeros(COUNT, 2), "top": h}, "scores": {"x": s}}

    return play_of(side(), side(), pairs=False)


def ready(**options):
    """A loss whose denoiser is a linear map."""
    torch.manual_seed(0)
    loss = DenoisingLoss(**{"widths": (), "weight": 0.5, "adversarial": 0.25, **options})
    loss.prepare(play())
    loss.double()
    return loss


def test_the_formula():
    """Each term, written with plain functions."""
    loss, p = ready(noise=0.3), play()
    h, g = p.data.features["top"], p.model.features["top"]
    noisy = h + 0.3 * p.noise("denoising", SIZE, law="normal")
    mine, theirs = loss.critic_loss(p), loss.generator_loss(p)
    expected = ((loss.denoiser(noisy) - h) ** 2).sum(1).mean()
    torch.testing.assert_close(mine["denoising"], expected)
    torch.testing.assert_close(mine["data/x"], (1 + (-p.data.scores["x"]).exp()).log().mean())
    distance = ((g - loss.denoiser(g)) ** 2).sum(1).mean()
    torch.testing.assert_close(theirs["features"], 0.5 * distance)
    logistic = (1 + (-p.model.scores["x"]).exp()).log().mean()
    torch.testing.assert_close(theirs["model/x"], 0.25 * logistic)


def test_who_receives_gradient_from_what():
    """The denoiser's error moves it alone; its target is a constant for the generator."""
    loss, p = ready(), play()
    h, g = p.data.features["top"], p.model.features["top"]
    loss.critic_loss(p)["denoising"].backward()
    assert h.grad is None and g.grad is None
    assert all(w.grad is not None and w.grad.any() for w in loss.denoiser.parameters())
    loss.zero_grad(set_to_none=True)
    loss.generator_loss(p)["features"].backward()
    torch.testing.assert_close(g.grad, 2 * 0.5 / COUNT * (g - loss.denoiser(g)).detach())
    assert all(w.grad is None for w in loss.denoiser.parameters())


def test_the_reimplementations_gradient_goes_through_the_denoiser():
    """Of |g - r(g)|^2 with r linear, W: (I - W)^T (g - r(g)), not (g - r(g))."""
    loss, p = ready(through=True), play()
    g = p.model.features["top"]
    loss.generator_loss(p)["features"].backward()
    weight = loss.denoiser[-1].weight
    expected = (g - loss.denoiser(g)) @ (torch.eye(SIZE, dtype=torch.float64) - weight) / COUNT
    torch.testing.assert_close(g.grad, expected.detach())
    assert not loss.targets and ready().targets


def test_the_denoiser_has_the_sizes_asked_for():
    """Ten layers by default, batch norms between; `norm=false` has none and allows chunks."""
    loss = DenoisingLoss()
    loss.prepare(play())
    layers = [m for m in loss.denoiser if isinstance(m, nn.Linear)]
    assert [m.out_features for m in layers] == [1024] * 9 + [SIZE]
    assert sum(isinstance(m, nn.BatchNorm1d) for m in loss.denoiser) == 9
    plain = DenoisingLoss(widths=(4,), norm=False)
    plain.prepare(play())
    assert not any(isinstance(m, nn.BatchNorm1d) for m in plain.denoiser)
    assert plain.means and not loss.means


def test_other_features_are_refused_by_name():
    """The layers there are stand in the sentence."""
    with pytest.raises(BadOption, match=r"layer=.*top"):
        ready(layer="middle")


@pytest.mark.parametrize(
    "options", [{"weight": 0.0}, {"noise": -1.0}, {"adversarial": -0.1}, {"widths": (8, 0)}]
)
def test_factors_and_sizes_out_of_range_are_refused_by_name(options):
    """One sentence that names the option."""
    with pytest.raises(BadOption, match=next(iter(options))):
        DenoisingLoss(**options)
