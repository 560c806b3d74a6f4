"""The loss `fd`: check values, its gradient, layers, projections."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption, Incompatible
from gentk.interfaces import total
from gentk.summary import LayerMoments
from gentk_moments.distance import FrechetLoss, frechet_to
from gentk_moments.frechet import frechet_distance


def draw(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def normal(loss, mean, cov):
    """The reference of a Gaussian that is given."""
    values, vectors = torch.linalg.eigh(cov)
    return {"mean": mean, "covariance": cov, "root of covariance": vectors * values.sqrt()}


def value(loss, data, model):
    return total(loss(data, loss.statistics(loss.summarise(model))))


@pytest.mark.parametrize(("unbiased", "expected"), [(False, 1.02393226), (True, 1.09413527)])
def test_check_values(unbiased, expected):
    """X = {(0,0), (2,0), (0,2)} against N(0, 1); N(1, 4) against N(0, 1) is 2."""
    x = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    loss = FrechetLoss(unbiased=unbiased)
    data = normal(loss, torch.zeros(2).double(), torch.eye(2).double())
    assert value(loss, data, {"a": x}).item() == pytest.approx(expected, abs=1e-8)
    four, one = torch.full((1, 1), 4.0).double(), torch.ones(1, 1).double()
    terms = loss(normal(loss, one[0], four), {"mean": one[0] * 0, "covariance": one})
    assert total(terms).item() == pytest.approx(2, abs=1e-12)


@pytest.mark.parametrize("size", [1, 3, 6])
def test_gradient_against_differences(size):
    """1e-9 in float64, by central differences extrapolated over their step; and 2/N (z - T(z))."""
    real, z = draw(50, size) @ draw(size, size, seed=1), draw(12, size, seed=2) + 0.3
    loss = FrechetLoss(unbiased=False)
    data = loss.reference(loss.summarise({"a": real}))
    z.requires_grad_()
    [slope] = torch.autograd.grad(value(loss, data, {"a": z}), z)

    def difference(step, i, j):
        moved = [z.detach().clone() for _ in range(2)]
        moved[0][i, j] += step
        moved[1][i, j] -= step
        ends = [value(loss, data, {"a": row}) for row in moved]
        return (ends[0] - ends[1]) / (2 * step)

    for i, j in ((0, 0), (5, size - 1), (11, size // 2)):
        h = 2e-3
        wanted = (
            difference(h, i, j) - 20 * difference(h / 2, i, j) + 64 * difference(h / 4, i, j)
        ) / 45
        assert slope[i, j].item() == pytest.approx(wanted.item(), abs=1e-9)

    mean, cov = z.detach().mean(0), torch.cov(z.detach().T, correction=0).reshape(size, size)
    values, vectors = torch.linalg.eigh(cov)
    half, inverse = (vectors * values**p @ vectors.T for p in (0.5, -0.5))
    inner = half @ data["covariance"] @ half
    values, vectors = torch.linalg.eigh(inner)
    transport = inverse @ (vectors * values.sqrt() @ vectors.T) @ inverse
    moved = data["mean"] + (z.detach() - mean) @ transport.T
    torch.testing.assert_close(slope, 2 / len(z) * (z.detach() - moved), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("count", "size"), [(30, 3), (30, 6), (5, 6)])
@pytest.mark.parametrize("layers", ["joint", "each"])
def test_the_gradient_in_the_data_too(count, size, layers):
    """Of a critic's features: by differences, of fewer samples than features too."""
    real, made = draw(count, size) @ draw(size, size, seed=1), draw(count, size, seed=2) + 0.3
    loss = FrechetLoss(layers=layers)

    def of(x, y):
        data, model = ({"a": z[:, :2], "b": z[:, 2:]} for z in (x, y))
        loss.prepare(data)
        summary = loss.summarise(data)
        return total(loss(loss.reference(summary), loss.statistics(loss.summarise(model, summary))))

    ends = real.requires_grad_(), made.requires_grad_()
    # Roots of eigenvalues that rounding invents are noise of 1e-8: divided by a step of 1e-3.
    assert torch.autograd.gradcheck(of, ends, eps=1e-3, rtol=1e-3, atol=1e-3)


def test_it_is_the_distance_of_the_metric():
    """Of the same features, whichever way it is computed; singular covariances too."""
    for count in (40, 5):
        real, made = draw(30, 8), 2 * draw(count, 8, seed=1) + 1
        loss = FrechetLoss()
        data = loss.reference(loss.summarise({"a": real[:, :3], "b": real[:, 3:]}))
        mine = value(loss, data, {"a": made[:, :3], "b": made[:, 3:]})
        wanted = frechet_distance(real.mean(0), torch.cov(real.T), made.mean(0), torch.cov(made.T))
        assert mine.item() == pytest.approx(wanted.item(), rel=1e-7)


def test_equal_distributions_have_no_slope():
    """At the data themselves the distance and its slope are 0."""
    real = draw(30, 4)
    loss = FrechetLoss()
    data = loss.reference(loss.summarise({"a": real}))
    z = real.clone().requires_grad_()
    distance = value(loss, data, {"a": z})
    assert distance.item() == pytest.approx(0, abs=1e-10)
    assert torch.autograd.grad(distance, z)[0].abs().max() < 1e-9


def test_layers_add_up():
    """layers=each is the sum of the distances of layers, each with a covariance of its own."""
    real, made = draw(30, 7), draw(20, 7, seed=1)
    parts = {"a": slice(0, 3), "b": slice(3, 7)}
    loss = FrechetLoss(layers="each")
    features = [{name: rows[:, part] for name, part in parts.items()} for rows in (real, made)]
    loss.prepare(features[0])
    summary = loss.summarise(features[0])
    assert isinstance(summary, LayerMoments)
    assert list(loss.kinds()) == ["mean", "covariance/0", "covariance/1"]
    each = value(loss, loss.reference(summary), features[1])
    alone = FrechetLoss()
    wanted = sum(
        value(alone, alone.reference(alone.summarise({"x": real[:, part]})), {"x": made[:, part]})
        for part in parts.values()
    )
    assert each.item() == pytest.approx(wanted.item(), rel=1e-9)


def test_a_projection_is_of_orthonormal_directions():
    """The same in every call; with as many directions as features nothing is projected."""
    loss = FrechetLoss(project=5)
    rows = draw(300, 12)
    first, again = (loss.summarise({"a": rows}).mean() for _ in range(2))
    assert len(first) == 5 and torch.equal(first, again)
    assert loss.directions["all", 12].T @ loss.directions["all", 12] == pytest.approx(
        torch.eye(5).double(), abs=1e-12
    )
    assert len(FrechetLoss(project=12).summarise({"a": rows}).mean()) == 12
    assert FrechetLoss(project=5).fingerprint() != FrechetLoss(project=5, seed=1).fingerprint()


def test_what_cannot_be_is_refused():
    with pytest.raises(BadOption, match="project"):
        FrechetLoss(project=-1)
    with pytest.raises(Incompatible, match="project=256"):
        FrechetLoss(pool="none").summarise({"a": torch.zeros(2, 5000)})


def test_a_spread_is_not_differentiated_through_its_eigenvectors():
    """Equal eigenvalues, where those have no derivative, are no trouble."""
    one = torch.eye(4).double()
    cov = (2 * one).requires_grad_()
    [slope] = torch.autograd.grad(frechet_to(one, one, cov), cov)
    torch.testing.assert_close(slope, (1 - 0.5**0.5) * one, rtol=1e-12, atol=1e-14)


def test_what_is_only_shown_has_the_same_value():
    """Without a gradient to make, eigenvalues alone are taken: the value is the same to rounding."""
    real, z = draw(50, 6) @ draw(6, 6, seed=1), draw(12, 6, seed=2) + 0.3
    loss = FrechetLoss()
    data = loss.reference(loss.summarise({"a": real}))
    shown = value(loss, data, {"a": z})
    minimised = value(loss, data, {"a": z.clone().requires_grad_()})
    assert shown.item() == pytest.approx(minimised.item(), rel=1e-12)
