"""Kernel means, bounded kernels, the repulsive game and the feasible set."""

from __future__ import annotations

import math

import pytest
import torch
from transcription import kernel as plain

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import total
from gentk.testing import LossSuite, play_of
from gentk_mmd.discrepancy import mean_across, mean_paired, mean_within, mmd2
from gentk_mmd.feasible import FeasibleSetLoss
from gentk_mmd.kernels import Bounded, Dot, Energy, Gaussian, Polynomial, RationalQuadratic
from gentk_mmd.loss import MMDLoss
from gentk_mmd.repulsive import RepulsiveLoss

X = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
Y = torch.tensor([[0.0, 2.0], [3.0, 0.0]], dtype=torch.float64)

KERNELS = {
    "gaussian": Gaussian([1.5]),
    "rational-quadratic-dot": RationalQuadratic(dot=True),
    "energy": Energy(),
    "dot": Dot(),
    "polynomial": Polynomial(),
}


def codes(count: int, seed: int) -> torch.Tensor:
    """Leaves, float64."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, generator=draw, dtype=torch.float64, requires_grad=True)


def play(real: torch.Tensor, model: torch.Tensor):
    """A play of codes."""
    return play_of({"features": {"code": real}}, {"features": {"code": model}})


@pytest.mark.parametrize("name", KERNELS)
def test_means_are_those_of_all_pairs(name: str) -> None:
    """Within a set, across two, and of pairs, against loops over the printed kernel."""
    x, y, kernel = codes(5, 0), codes(7, 1), KERNELS[name]
    a, b = x.detach().numpy(), y.detach().numpy()

    def k(p, q):
        return plain(name, p, q, bandwidths=(1.5,), convention="standard")

    within = sum(k(p, q) for i, p in enumerate(a) for j, q in enumerate(a) if i != j) / 20
    across = sum(k(p, q) for p in a for q in b) / 35
    paired = sum(k(p, q) for p, q in zip(a, b, strict=False)) / 5
    assert mean_within(x, kernel).item() == pytest.approx(within, rel=1e-12)
    assert mean_across(x, y, kernel).item() == pytest.approx(across, rel=1e-12)
    assert mean_paired(x, y[:5], kernel).item() == pytest.approx(paired, rel=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_means_have_the_gradient_of_their_value(name: str) -> None:
    """By finite differences, in both sets; nothing is made for constants."""
    x, y, kernel = codes(4, 0), codes(4, 1), KERNELS[name]
    assert torch.autograd.gradcheck(lambda u: mean_within(u, kernel), (x,))
    assert torch.autograd.gradcheck(lambda u, v: mean_across(u, v, kernel), (x, y))
    assert torch.autograd.gradcheck(lambda u, v: mean_paired(u, v, kernel), (x, y))
    mean_across(x.detach(), y, kernel).backward()
    assert x.grad is None and y.grad is not None


def test_means_make_the_unbiased_discrepancy() -> None:
    """MMD^2 is the two within less twice that across."""
    x, y, kernel = codes(6, 2), codes(9, 3), RationalQuadratic(dot=True)
    parts = mean_within(x, kernel) + mean_within(y, kernel) - 2 * mean_across(x, y, kernel)
    assert parts.item() == pytest.approx(mmd2(x, y, kernel, unbiased=True).item(), rel=1e-12)


def test_a_bounded_kernel_stops_at_its_bounds() -> None:
    """Squared distances 1, 4 and 9 within [2, 5]; pairs beyond have no gradient."""
    x = torch.tensor([[0.0], [1.0]], dtype=torch.float64, requires_grad=True)
    far = torch.tensor([[0.0], [3.0]], dtype=torch.float64, requires_grad=True)
    kernel = Bounded(Gaussian([1.0]), low=2, high=5)
    assert mean_within(x, kernel).item() == pytest.approx(math.exp(-1))
    assert mean_within(far, kernel).item() == pytest.approx(math.exp(-2.5))
    (mean_within(x, kernel) + mean_within(far, kernel)).backward()
    assert not x.grad.any() and not far.grad.any()
    inside = torch.tensor([[0.0], [2.0]], dtype=torch.float64, requires_grad=True)
    assert mean_within(inside, kernel).item() == pytest.approx(math.exp(-2))
    assert torch.autograd.gradcheck(lambda u: mean_within(u, kernel), (inside,))


def test_check_values() -> None:
    """Of two codes a side; the released code leaves the cross block's diagonal out."""
    loss = RepulsiveLoss()
    critic, generator = loss.critic_loss(play(X, Y)), loss.generator_loss(play(X, Y))
    assert critic["data"].item() == pytest.approx(0.60653066, abs=1e-8)
    assert critic["model"].item() == pytest.approx(-0.00150344, abs=1e-8)
    assert generator["across"].item() == pytest.approx(-2 * 0.09096614, abs=1e-7)
    assert total(generator).item() == pytest.approx(0.42610182, abs=1e-8)
    assert total(critic).item() == pytest.approx(0.60502722, abs=1e-8)
    released = RepulsiveLoss(cross="off-diagonal").generator_loss(play(X, Y))
    assert total(released).item() == pytest.approx(0.51484010, abs=1e-8)
    bounded = RepulsiveLoss(bounds=(0.25, 4.0)).critic_loss(play(X, Y))
    assert total(bounded).item() == pytest.approx(0.60502722, abs=1e-8)


def test_the_attractive_loss_is_minus_the_generators() -> None:
    """[w0, w1] = [2, 1], a zero-sum game."""
    real, model = codes(5, 4), codes(6, 5)
    loss = RepulsiveLoss(weights=(2.0, 1.0))
    sides = loss.critic_loss(play(real, model)), loss.generator_loss(play(real, model))
    assert total(sides[0]).item() == pytest.approx(-total(sides[1]).item(), rel=1e-12)
    unbiased = mmd2(real, model, Gaussian([1.0]), unbiased=True)
    assert total(sides[1]).item() == pytest.approx(unbiased.item(), rel=1e-12)


def test_who_is_driven_where() -> None:
    """A critic's step drives real codes apart and generated ones together; a generator's the generated
    ones to the real ones. Bounds stop both of the critic's.
    """
    real = torch.tensor([[0.0], [1.0]], dtype=torch.float64, requires_grad=True)
    model = torch.tensor([[3.0], [4.0]], dtype=torch.float64, requires_grad=True)
    total(RepulsiveLoss().critic_loss(play(real, model))).backward()
    assert real.grad[0] > 0 > real.grad[1]
    assert model.grad[0] < 0 < model.grad[1]
    model.grad = None
    total(RepulsiveLoss().generator_loss(play(real.detach(), model))).backward()
    assert model.grad.sum() > 0
    real.grad = model.grad = None
    total(RepulsiveLoss(bounds=(1.5, 1.6)).critic_loss(play(3 * real, model))).backward()
    assert not real.grad.any() and not model.grad.any()


@pytest.mark.parametrize(
    "options",
    [
        {"weights": (0.0, 1.0)},
        {"weights": (1.0,)},
        {"bounds": (4.0, 0.25)},
        {"bounds": (1.0,)},
        {"bandwidths": (0.0,)},
    ],
)
def test_odd_options_are_refused(options) -> None:
    """Weights whose difference is not 1, bounds that are none, bandwidths that are none."""
    with pytest.raises(BadOption):
        RepulsiveLoss(**options)


def test_a_critic_without_codes_is_refused() -> None:
    """The sentence names the features there are."""
    with pytest.raises(Incompatible, match="layers=pooled"):
        RepulsiveLoss().critic_loss(
            play_of({"features": {"pooled": X}}, {"features": {"pooled": Y}})
        )


def test_the_feasible_set() -> None:
    """Only features whose mean is larger for the model count; the gradient is that of the means."""
    loss = FeasibleSetLoss()
    model = Y.clone().requires_grad_()
    data = loss.summarise({"x": X})
    terms = loss(loss.reference(data), loss.statistics(loss.summarise({"x": model}, data)))
    assert terms["feasible-set"].item() == pytest.approx(-(1.0 + 1.0) / 2)
    terms["feasible-set"].backward()
    assert torch.allclose(model.grad, torch.full((2, 2), -0.25, dtype=torch.float64))
    other = loss(loss.reference(loss.summarise({"x": Y})), loss.statistics(data))
    assert other["feasible-set"].item() == 0


def test_alphas_are_an_option() -> None:
    """Of the rational quadratic kernels alone; the published ones leave fingerprints as they were."""

    def mmd(**options) -> float:
        loss = MMDLoss(kernel="rational-quadratic", **options)
        sides = (loss.statistics(loss.summarise({"x": side})) for side in (X, Y))
        return loss(*sides)["mmd"].item()

    distances = ((0, 1), (0, 13), (4, 9, 5, 4))

    def mean(t, alphas):
        return sum((1 + d / (2 * a)) ** -a for d in t for a in alphas) / len(t)

    alphas = (0.1, 1.0, 10.0)
    by_hand = sum(mean(t, alphas) for t in distances[:2]) - 2 * mean(distances[2], alphas)
    assert mmd(alphas=alphas) == pytest.approx(by_hand, rel=1e-12)
    assert mmd() == pytest.approx(3.963307, abs=1e-6)
    with pytest.raises(BadOption):
        mmd(alphas=(0.0,))
    with pytest.raises(Incompatible):
        MMDLoss(alphas=alphas)


def test_unbiased_rq_star_of_one_law_is_zero_on_average() -> None:
    """The part <x, y> too, whose diagonal is not a constant."""
    draw = torch.Generator().manual_seed(0)
    loss = MMDLoss(kernel="rational-quadratic-dot", unbiased=True)
    values = []
    for _ in range(400):
        sides = (3 + torch.randn(8, 4, generator=draw, dtype=torch.float64) for _ in range(2))
        summaries = (loss.statistics(loss.summarise({"x": side})) for side in sides)
        values.append(loss(*summaries)["mmd"])
    mean, error = torch.stack(values).mean(), torch.stack(values).std() / 20
    assert abs(mean) < 3 * error


class TestFeasibleSet(LossSuite):
    """It is a matching loss, and no discrepancy."""

    spec = "feasible-set"

    def test_nothing_is_nearer_than_the_data(self) -> None:
        """The value of the data is the largest there is: a contest raises it to 0."""
        loss = self.matching()
        data = loss.summarise(self.features(20))
        reference = loss.reference(data)
        for shift in (0.5, -2.0):
            other = loss.summarise(self.features(20, seed=1, shift=shift), data)
            assert self._value(loss, reference, loss.statistics(other)) <= 0
