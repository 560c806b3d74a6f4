"""Mixtures: EM, shares by mass, moments of components, and the field of `gaussian-kl,components=K`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from field_formulas import gaussian_kl
from scipy.optimize import linprog
from torch.distributions import MultivariateNormal

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import total
from gentk_fields.gaussian import GaussianKL, _precision, _ridge, score_gap
from gentk_fields.mixture import FLOOR, balanced, component_moments, fit

CENTRES = torch.tensor([[-1.5, 0.0, 0.0], [1.5, 0.5, 0.0], [0.0, 2.0, 1.0]]).double()
SHARES = torch.tensor([0.5, 0.3, 0.2]).double()


def draw(count, seed=0, shift=0.0):
    """Samples of three Gaussians that overlap, and which each is of."""
    generator = torch.Generator().manual_seed(seed)
    which = torch.multinomial(SHARES, count, replacement=True, generator=generator)
    noise = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return CENTRES[which] + noise * torch.tensor([0.5, 0.7, 0.4]) + shift, which


def prepared(components=3, **options):
    """A loss that has seen data, and its reference."""
    rows, _ = draw(4000)
    loss = GaussianKL(components=components, **options)
    loss.prepare({"a": rows})
    return loss, loss.reference(loss.summarise_data({"a": rows}))


def field(loss, data, z):
    """V at samples whose moments are the model's."""
    ((own, theirs, ours),) = loss.parts(data, loss.statistics(loss.summarise({"a": z})))
    return loss.field(own, theirs, ours).velocity


def test_em_finds_the_components():
    """Weights, means and deviations are those that samples were drawn from."""
    mixture = fit(draw(4000)[0], 3)
    order = torch.cdist(CENTRES, mixture.means).argmin(1)
    assert sorted(order.tolist()) == [0, 1, 2]
    torch.testing.assert_close(mixture.weights[order], SHARES, rtol=0, atol=0.03)
    torch.testing.assert_close(mixture.means[order], CENTRES, rtol=0, atol=0.08)
    deviations = mixture.covariances[order].diagonal(dim1=1, dim2=2).sqrt()
    torch.testing.assert_close(
        deviations, torch.tensor([[0.5, 0.7, 0.4]]).double().expand(3, 3), rtol=0, atol=0.06
    )


@pytest.mark.parametrize("diagonal", [False, True])
def test_costs_are_densities(diagonal):
    """But for a constant of all, -log pi_k N(z; m_k, S_k + floor)."""
    rows, _ = draw(500)
    mixture = fit(rows, 3, diagonal=diagonal)
    roots = mixture.roots.diag_embed() if diagonal else mixture.roots
    precisions = roots @ roots.transpose(1, 2)
    wanted = torch.stack(
        [
            -(pi.log() + MultivariateNormal(mean, precision_matrix=precision).log_prob(rows[:50]))
            for pi, mean, precision in zip(mixture.weights, mixture.means, precisions, strict=True)
        ],
        dim=1,
    )
    gap = mixture.costs(rows[:50]) - wanted
    torch.testing.assert_close(gap, gap.mean().expand_as(gap))
    matrices = mixture.covariances.diag_embed() if diagonal else mixture.covariances
    floor = FLOOR * rows.var(0).mean() * torch.eye(3)
    # EM's own are one round behind, and divided by n.
    torch.testing.assert_close(torch.linalg.inv(precisions), matrices + floor, rtol=0.1, atol=0.05)


def plan_of_least_cost(costs, weights):
    """The linear programme, by scipy."""
    n, k = costs.shape
    rows = np.kron(np.eye(n), np.ones(k))
    columns = np.kron(np.ones(n), np.eye(k))
    done = linprog(
        costs.flatten().numpy(),
        A_eq=np.concatenate([rows, columns]),
        b_eq=np.concatenate([np.ones(n), n * weights.numpy()]),
        method="highs",
    )
    return torch.from_numpy(done.x).view(n, k), done.fun


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
def test_shares_have_the_masses_and_the_least_cost(scale):
    """Between them and the linear programme is at most the entropy; far apart they are its plan."""
    generator = torch.Generator().manual_seed(1)
    costs = torch.rand(40, 4, generator=generator, dtype=torch.float64) * scale
    costs[:, 0] -= 0.8 * scale  # all are nearest to one of them
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    shares = balanced(costs, weights)
    plan, least = plan_of_least_cost(costs, weights)

    torch.testing.assert_close(shares.sum(1), torch.ones(40).double())
    torch.testing.assert_close(shares.sum(0), 40 * weights, rtol=0, atol=1.0)
    assert float((shares * costs).sum()) - least < 40 * np.log(4) + 0.02 * abs(least)
    if scale > 100:
        assert float((shares - plan).abs().sum(1).mean()) < 0.1


def test_posteriors_of_the_data_are_their_shares():
    """Where samples are the data's own, masses are right without factors."""
    rows, _ = draw(2000)
    mixture = fit(rows, 3)
    costs = mixture.costs(rows)
    gap = (balanced(costs, mixture.weights) - (-costs).softmax(1)).abs()
    assert float(gap.mean()) < 5e-3


def test_moments_of_components():
    """Of samples that are wholly of one each: means and unbiased covariances of these."""
    rows, which = draw(60)
    shares = torch.nn.functional.one_hot(which, 3).double()
    means, covariances = component_moments(rows, shares)
    for k in range(3):
        own = rows[which == k]
        torch.testing.assert_close(means[k], own.mean(0))
        torch.testing.assert_close(covariances[k], torch.cov(own.T))
    variances = component_moments(rows, shares, diagonal=True)[1]
    torch.testing.assert_close(variances, covariances.diagonal(dim1=1, dim2=2))


def test_one_component_is_the_field_of_moments():
    """No mixture is fitted, and the field is that of moment sums, to the rounding of float32."""
    rows, z = draw(300)[0], draw(40, seed=1)[0].float()
    loss = GaussianKL(components=1)
    assert loss.preparation == 0
    summary = loss.summarise_data({"a": rows})
    data, own = loss.reference(summary), loss.summarise_data({"a": z})
    ridge = _ridge(summary.covariance(), 0.6)
    p = summary.mean(), _precision(summary.covariance(), ridge, rows)
    wanted = score_gap(z, p, (own.mean(), own.covariance()), ridge)
    torch.testing.assert_close(field(loss, data, z), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_the_field_is_the_transcription(covariance):
    """sum_k a_ik [(S_pk + r_k)^-1 (m_pk - z) - (S_qk + r_k)^-1 (m_qk - z)], with plain inverses."""
    loss, data = prepared(covariance=covariance)
    z, _ = draw(50, seed=2, shift=0.4)
    mixture = loss.mixtures[0]
    shares = mixture.shares(z)
    means, covariances = component_moments(z, shares)
    wanted = torch.zeros_like(z)
    for k in range(3):
        matrices = mixture.covariances[k], covariances[k]
        if covariance == "diagonal":
            matrices = matrices[0].diag(), matrices[1].diagonal().diag()
        ridge = torch.linalg.eigvalsh(matrices[0]).quantile(0.6)
        sides = (mixture.means[k], matrices[0]), (means[k], matrices[1])
        wanted += shares[:, k : k + 1] * gaussian_kl(z, *sides, ridge)
    torch.testing.assert_close(field(loss, data, z), wanted, rtol=1e-7, atol=1e-9)


def test_the_gradient_is_along_the_field():
    """-V / N in each sample, and the value mean |V|^2 / 2."""
    loss, data = prepared()
    z = draw(30, seed=3, shift=0.3)[0].requires_grad_()
    value = total(loss(data, loss.statistics(loss.summarise({"a": z}))))
    value.backward()
    v = field(loss, data, z.detach())
    torch.testing.assert_close(z.grad, -v / 30)
    torch.testing.assert_close(value.detach(), v.square().sum(1).mean() / 2)


def test_equal_distributions_have_no_field():
    """As small as samples allow: it falls with their number, and a shift of a tenth stands out."""
    loss, data = prepared()

    def size(count, shift=0.0):
        return float(field(loss, data, draw(count, seed=9, shift=shift)[0]).norm(dim=1).mean())

    few, many, shifted = size(250), size(16000), size(16000, shift=0.1)
    assert many < 0.5 * few
    assert many < 0.25 * shifted


def test_layers_have_mixtures_of_their_own():
    """Names tell layer and component, and both sides have them."""
    rows, _ = draw(200)
    features = {"a": rows, "b": rows[:, :2] * 3}
    loss = GaussianKL(components=2, covariance="layers")
    loss.prepare(features)
    data = loss.reference(loss.summarise_data(features))
    model = loss.statistics(loss.summarise(features))
    assert set(loss.kinds()) == set(model)
    assert set(model) - {"samples", "shares"} <= set(data)
    assert model["shares"].shape == (200, 4)
    assert data["covariance/1/0"].shape == (2, 2)
    assert total(loss(data, model)).isfinite()


def test_what_cannot_be_is_refused():
    """Less than one component, more than images, fewer samples than two of each."""
    for options in ({"components": 0}, {"components": 9, "fitting": 8}):
        with pytest.raises(BadOption, match="components"):
            GaussianKL(**options)
    with pytest.raises(Incompatible, match="components=2"):
        GaussianKL(components=3).prepare({"a": draw(5)[0]})


def test_fewer_than_two_samples_of_a_component_are_refused():
    """They would have a covariance of 0, and the field would be that of a point: the sentence counts."""
    loss, data = prepared()
    smallest = loss.mixtures[0].smallest
    assert smallest == pytest.approx(float(loss.mixtures[0].weights.min()))
    enough = int(np.ceil(2 / smallest))
    z, _ = draw(enough, seed=5)
    assert field(loss, data, z).isfinite().all()
    with pytest.raises(Incompatible, match=rf"--batch {enough} .*components=1"):
        loss.statistics(loss.summarise({"a": z[:-1]}))


@pytest.mark.parametrize("components", [1, 2])
def test_what_does_not_vary_has_no_density(components):
    """A layer of one value, or images of which a component has copies: one sentence."""
    one, other = torch.zeros(700, 4), torch.cat([torch.zeros(700, 4), torch.ones(700, 4)])
    rows = other if components > 1 else one
    loss = GaussianKL(components=components)
    if loss.preparation:
        loss.prepare({"a": rows})
    with pytest.raises(Incompatible, match=r"do not vary.*choose other layers"):
        loss.reference(loss.summarise_data({"a": rows}))
