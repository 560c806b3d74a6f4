"""The games' check values and identities, and which terms there are."""

from __future__ import annotations

import math

import pytest
import torch

from gentk.errors import BadOption
from gentk.interfaces import Play, total
from gentk.testing import play_of
from gentk_games.hinge import HingeLoss
from gentk_games.logistic import LogisticLoss
from gentk_games.regressor import LatentRegressor


def scores(**values: float) -> dict[str, torch.Tensor]:
    """One sample's scores by name."""
    return {name: torch.tensor([value]) for name, value in values.items()}


def drawn(*names: str, seed: int, grad: bool = False) -> dict[str, torch.Tensor]:
    """Sixteen random scores of each name."""
    draw = torch.Generator().manual_seed(seed)
    return {name: torch.randn(16, generator=draw).requires_grad_(grad) for name in names}


def play(data, model, **more) -> Play:
    """A play of scores; `pairs` unless there is none of the data."""
    return play_of({"scores": data}, {"scores": model}, **more)


ENCODED = scores(x=0.5, z=-0.2, xz=1.5)
GENERATED = scores(x=-2.0, z=0.3, xz=0.1)


def test_hinge_check_value():
    """Critic 1.7 + 2.4 = 4.1, generator and encoder 3.4; the mean is a third of it."""
    loss = HingeLoss()
    terms = loss.critic_loss(play(ENCODED, GENERATED))
    data = sum(value for name, value in terms.items() if name.startswith("data/"))
    model = sum(value for name, value in terms.items() if name.startswith("model/"))
    assert float(data) == pytest.approx(1.7) and float(model) == pytest.approx(2.4)
    assert float(total(terms)) == pytest.approx(4.1)
    assert float(total(loss.generator_loss(play(ENCODED, GENERATED)))) == pytest.approx(3.4)

    third = HingeLoss(reduction="mean")
    assert float(total(third.critic_loss(play(ENCODED, GENERATED)))) == pytest.approx(4.1 / 3)
    assert float(total(third.generator_loss(play(ENCODED, GENERATED)))) == pytest.approx(3.4 / 3)


def test_the_hinge_of_scores_is_the_sum_of_their_hinges():
    """Not a hinge of the sum: each score's game is the game of that score alone."""
    loss, data, model = HingeLoss(), drawn("x", "z", "xz", seed=0), drawn("x", "z", "xz", seed=1)
    for side in (loss.critic_loss, loss.generator_loss):
        alone = [total(side(play({k: data[k]}, {k: model[k]}))) for k in data]
        torch.testing.assert_close(total(side(play(data, model))), torch.stack(alone).sum())
    joint = torch.relu(1 - sum(data.values())).mean() + torch.relu(1 + sum(model.values())).mean()
    assert not torch.isclose(total(loss.critic_loss(play(data, model))), joint)


def test_generators_have_no_hinge():
    """Their gradient is the same however far a score is beyond the margin."""
    data, model = scores(xz=-50.0), scores(xz=50.0)
    for side in (data, model):
        side["xz"].requires_grad_()
    total(HingeLoss().generator_loss(play(data, model))).backward()
    assert data["xz"].grad == 1 and model["xz"].grad == -1


def test_logistic_check_value():
    """d_real 0.5, d_fake -0.3: D 1.028432, G 1.828432; the halves of the released code."""
    real, fake = scores(xz=0.5), scores(xz=-0.3)
    loss = LogisticLoss()
    assert float(total(loss.critic_loss(play(real, fake)))) == pytest.approx(1.028432, abs=1e-6)
    assert float(total(loss.generator_loss(play(real, fake)))) == pytest.approx(1.828432, abs=1e-6)
    half = LogisticLoss(weight=0.5)
    assert float(total(half.critic_loss(play(real, fake)))) == pytest.approx(1.028432 / 2, abs=1e-6)
    assert float(total(half.generator_loss(play(real, fake)))) == pytest.approx(1.828432, abs=1e-6)
    half = LogisticLoss(generator_weight=0.5)
    assert float(total(half.critic_loss(play(real, fake)))) == pytest.approx(1.028432, abs=1e-6)
    assert float(total(half.generator_loss(play(real, fake)))) == pytest.approx(0.914216, abs=1e-6)
    ordinary = LogisticLoss(form="minimax")
    assert float(total(ordinary.generator_loss(play(real, fake)))) == pytest.approx(
        -1.028432, abs=1e-6
    )


def test_an_undecided_critic_loses_two_logs_of_two():
    """With d = 0 everywhere L_D = 2 log 2, and so is the swapped loss."""
    zero = {"xz": torch.zeros(5)}
    for side in (LogisticLoss().critic_loss, LogisticLoss().generator_loss):
        assert float(total(side(play(zero, zero)))) == pytest.approx(2 * math.log(2))


@pytest.mark.parametrize("loss", [HingeLoss(), LogisticLoss(), LogisticLoss(form="minimax")])
def test_swapping_the_labels_leaves_the_game_unchanged(loss):
    """If the critic calls the model's pairs real, its scores change sign and nothing else does."""
    data, model = drawn("x", "xz", seed=2), drawn("x", "xz", seed=3)
    negated = ({k: -v for k, v in side.items()} for side in (model, data))
    other, one = negated
    for side in (loss.critic_loss, loss.generator_loss):
        torch.testing.assert_close(total(side(play(data, model))), total(side(play(other, one))))


def test_swapped_labels_are_the_critics_loss_of_the_other_sides():
    """L_EG of the swapped form is L_D with the two sides exchanged, both terms of it."""
    loss, data, model = LogisticLoss(), drawn("xz", seed=2), drawn("xz", seed=3)
    torch.testing.assert_close(
        total(loss.generator_loss(play(data, model))), total(loss.critic_loss(play(model, data)))
    )


def test_without_an_encoder_it_is_the_plain_game():
    """The generator's terms alone; the data's scores are not even asked for."""
    for loss in (HingeLoss(), LogisticLoss(), LogisticLoss(form="minimax")):
        alone = play_of({}, {"scores": drawn("x", seed=3)}, pairs=False)
        assert set(loss.generator_loss(alone)) == {"model/x"}


def inversion(loss: LatentRegressor, z: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    """The term that the encoder learns from; the data are not asked for."""
    model = {"scores": {"x": torch.zeros(len(z))}, "latents": z, "inversion": code}
    return loss.generator_loss(play_of({}, model))["inversion"]


def test_the_latent_regressor():
    """Squared or cross-entropy distance of z and E(G(z)), minimal where the encoder inverts."""
    z = torch.rand(500, 4) * 2 - 1
    assert float(inversion(LatentRegressor(), z, z)) == 0
    quarter = inversion(LatentRegressor(weight=0.25), z, z + 2)
    assert float(quarter) == pytest.approx(1.0, rel=1e-5)
    logits = torch.zeros(500, 4, requires_grad=True)
    inversion(LatentRegressor(distance="bernoulli"), z, logits).backward()
    # The gradient of a cross-entropy of logits is sigmoid(t) - p.
    torch.testing.assert_close(logits.grad * 2000, 0.5 - (z + 1) / 2, rtol=1e-4, atol=1e-5)
    best, bernoulli = torch.atanh(z * 0.999) * 2, LatentRegressor(distance="bernoulli")
    assert inversion(bernoulli, z, best) < inversion(bernoulli, z, best + 1)
    assert LatentRegressor.needs == {"encoder"}


def test_a_bounded_code_has_the_cross_entropy_of_its_logits():
    """Value and gradient for t, where z' = tanh(t / 2); a code that rounded to 1 stays finite."""
    torch.manual_seed(0)
    z = torch.rand(300, 4, dtype=torch.float64) * 2 - 1
    found = []
    for distance, squash in (("bernoulli", lambda t: t), ("bounded", lambda t: (t / 2).tanh())):
        t = (3 * torch.arange(1200.0).sin().reshape(300, 4).double()).requires_grad_()
        value = inversion(LatentRegressor(distance=distance), z, squash(t))
        value.backward()
        found.append((value.detach(), t.grad))
    torch.testing.assert_close(found[0], found[1])
    rounded = inversion(LatentRegressor(distance="bounded"), z.float(), torch.ones(300, 4))
    assert rounded.isfinite() and rounded > found[0][0]


def test_the_latent_regressors_game_is_the_logistic_one_with_factors_of_its_own():
    """Critic and generator are weighed apart from what the encoder learns."""
    data, model = drawn("x", seed=2), drawn("x", seed=3)
    z = torch.zeros(len(model["x"]), 2)
    alone = play_of({"scores": data}, {"scores": model, "latents": z, "inversion": z + 1})
    plain, half = LogisticLoss(), LatentRegressor(critic_weight=0.5, generator_weight=0.25)
    torch.testing.assert_close(
        total(half.critic_loss(alone)), 0.5 * total(plain.critic_loss(play(data, model)))
    )
    parts = half.generator_loss(alone)
    expected = 0.25 * plain.generator_loss(play(data, model))["model/x"]
    torch.testing.assert_close(parts["model/x"], expected)
    assert float(parts["inversion"]) == 1


@pytest.mark.parametrize(
    ("make", "factor"),
    [
        (LogisticLoss, "weight"),
        (LogisticLoss, "generator_weight"),
        (LatentRegressor, "weight"),
        (LatentRegressor, "critic_weight"),
        (LatentRegressor, "generator_weight"),
    ],
)
def test_factors_must_be_positive(make, factor):
    """The one that is not is named."""
    for value in (0.0, -1.0, float("nan")):
        with pytest.raises(BadOption, match=f"write {factor}=1"):
            make(**{factor: value})
