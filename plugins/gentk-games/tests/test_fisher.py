"""Fisher GAN's game: check values, the sign of the constraint, and the multiplier."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gentk.errors import BadOption
from gentk.interfaces import total
from gentk.testing import play_of
from gentk_games.fisher import FisherLoss


def scores(data, model, **names):
    """A play in which the critic says these things."""
    sides = ({"scores": {"x": torch.as_tensor(s, dtype=torch.float64)}} for s in (data, model))
    return play_of(*sides, pairs=False)


@pytest.mark.parametrize(
    ("data", "model", "multiplier", "rho", "moment", "objective", "moved"),
    [
        ((1.0, 3.0), (0.0, -1.0), 0.1, 0.5, 2.75, 1.559375, 0.975),
        ((1.0, 2.0), (0.0, -1.0), 0.5, 0.1, 1.5, 1.7375, 0.55),
    ],
)
def test_check_values(data, model, multiplier, rho, moment, objective, moved):
    """Second moment, what the critic maximises, and the multiplier after the step."""
    loss = FisherLoss(rho=rho)
    loss.multiplier.fill_(multiplier)
    play = scores(data, model)
    seen = loss.observe(play)
    assert float(seen["moment"]) == pytest.approx(moment)
    assert float(total(loss.critic_loss(play))) == pytest.approx(-objective)
    loss.after_critic_step(seen)
    assert float(loss.multiplier) == pytest.approx(moved)


@given(st.floats(0.05, 4.0))
def test_the_multiplier_rises_where_scores_are_too_large(scale):
    """It rises above a second moment of one and falls below; the generator's loss has no part of it."""
    loss, play = FisherLoss(rho=0.1), scores((scale, -scale), (scale, -scale))
    loss.after_critic_step(loss.observe(play))
    assert (float(loss.multiplier) > 0) == (scale**2 > 1)
    assert loss.generator_loss(play).keys() == {"model/x"}


def test_with_a_multiplier_the_critic_is_drawn_to_smaller_scores():
    """Slope in the scores of the constraint: that of l O, towards 0."""
    said = torch.tensor([2.0, -1.0], requires_grad=True)
    loss = FisherLoss(rho=1e-6)
    loss.multiplier.fill_(0.5)
    play = play_of({"scores": {"x": said}}, {"scores": {"x": torch.zeros(2)}}, pairs=False)
    [slope] = torch.autograd.grad(loss.critic_loss(play)["constraint"], said)
    torch.testing.assert_close(slope, 0.5 * said / 2, atol=1e-5, rtol=0)


def test_a_step_of_nothing_is_refused():
    """One sentence that names it."""
    with pytest.raises(BadOption, match="rho"):
        FisherLoss(rho=0)
