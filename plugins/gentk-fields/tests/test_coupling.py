"""`coupling`: plans by their check values, what each number of iterations is, pairs of a sample's
own.
"""

from __future__ import annotations

import pytest
import torch
from field_formulas import sinkhorn

from gentk.errors import BadOption
from gentk_fields.coupling import Coupling, plan

X = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
Y = torch.tensor([[0.0, 2.0], [3.0, 0.0]], dtype=torch.float64)


def sides(gen, real):
    return {"samples": real, "sizes": torch.tensor([gen.shape[1]])}, {"samples": gen}


def draw(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_sinkhorn_check_values():
    """One sweep and the converged plan, cost d^2 / 2, eps 1; and the barycentres of the latter."""
    logits, ones = -0.5 * torch.cdist(X, Y).square(), torch.ones(2, 2, dtype=torch.float64)
    first = sinkhorn(X, Y, 1.0, 1)
    wanted = torch.tensor([[0.35497974, 0.05431496], [0.14502026, 0.44568504]]).double()
    torch.testing.assert_close(first, wanted, rtol=0, atol=1e-7)
    mine = plan(logits, ones, 1)
    torch.testing.assert_close(mine, first / first.sum(1, keepdim=True), rtol=1e-12, atol=0)
    wanted = torch.tensor([[0.54727657, 1.63514895], [2.45272343, 0.36485105]]).double()
    torch.testing.assert_close(plan(logits, ones, 100) @ Y, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("sweeps", [1, 3, 10])
def test_sinkhorn_is_the_transcription(sweeps):
    """Any number of samples on either side."""
    x, y = draw(6, 3), draw(4, 3, seed=1)
    theirs = sinkhorn(x, y, 2.0, sweeps)
    mine = plan(-0.25 * torch.cdist(x, y).square(), torch.ones(6, 4).double(), sweeps)
    torch.testing.assert_close(mine, theirs / theirs.sum(1, keepdim=True), rtol=1e-9, atol=0)


def test_half_an_iteration_is_the_mean_shift():
    """Rows only: the softmax-weighted mean of the data less that of the other samples."""
    gen, real = draw(5, 3), draw(7, 3, seed=1)
    loss = Coupling(iterations=0.5, temperatures=(0.3,))
    pairs = loss.pairs(gen, *sides(gen, real))
    field = loss.field(gen, *sides(gen, real))
    apart = ~torch.eye(5, dtype=torch.bool)
    every = torch.cat([torch.cdist(gen, gen)[apart], torch.cdist(gen, real).flatten()])
    scale = every.mean()
    torch.testing.assert_close(pairs.unit * 3**0.5, scale, rtol=1e-6, atol=0)
    towards = torch.softmax(-torch.cdist(gen, real) / scale / 0.3, 1) @ real
    own = (-torch.cdist(gen, gen) / scale / 0.3).fill_diagonal_(-torch.inf)
    force = (towards - torch.softmax(own, 1) @ gen) / pairs.unit
    wanted = force / force.square().mean().sqrt()
    torch.testing.assert_close(field.velocity, wanted, rtol=1e-5, atol=1e-5)


def test_no_iteration_is_the_flow_of_mmd():
    """The field is half the N-fold negative gradient of the MMD^2 of k = exp(-d^2 / 2 s^2), times
    s^2.
    """
    gen, real = draw(5, 3).requires_grad_(), draw(7, 3, seed=1)
    loss = Coupling(iterations=0, temperatures=(0.4,), cost="quadratic")
    with torch.no_grad():
        pairs = loss.pairs(gen, *sides(gen, real))
        coefficients = loss.coefficients(pairs, 0.4)
        force = coefficients @ pairs.targets
        force -= coefficients.sum(1, keepdim=True) * pairs.targets[: len(gen)]
    width = 0.4 * (pairs.unit**2 * 3)

    def kernel(a, b):
        return torch.exp(-(a[:, None] - b[None]).square().sum(-1) / (2 * width))

    apart = ~torch.eye(5, dtype=torch.bool)
    mmd = kernel(gen, gen)[apart].mean() - 2 * kernel(gen, real).mean()
    [slope] = torch.autograd.grad(mmd, gen)
    torch.testing.assert_close(force, -slope * width * 5 / 2, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("iterations", [0, 0.5, 5])
@pytest.mark.parametrize("pairs", ["mask", "halves"])
def test_equal_distributions_have_no_field(iterations, pairs):
    """Before it is normalised the force falls to 0 with the number of samples, as its noise does."""
    sizes = []
    for count in (50, 800):
        gen, real = draw(count, 2), draw(count, 2, seed=1)
        loss = Coupling(iterations=iterations, temperatures=(0.5,), pairs=pairs)
        sizes.append(loss.field(gen, *sides(gen, real)).norms["force"].item())
        far = loss.field(gen + 3, *sides(gen + 3, real)).norms["force"].item()
    assert sizes[1] < 0.5 * sizes[0] and sizes[1] < far / 5


def test_halves_are_pushed_by_the_other_half():
    """No sample pushes one of its own half."""
    gen, real = draw(6, 2), draw(6, 2, seed=1)
    loss = Coupling(iterations=3, pairs="halves")
    own = loss.coefficients(loss.pairs(gen, *sides(gen, real)), 0.2)[:, :6]
    half = torch.arange(6) % 2
    assert not own[half[:, None] == half].any() and (own[half[:, None] != half] < 0).all()


@pytest.mark.parametrize("iterations", [0, 0.5, 3])
def test_class_by_class_is_each_class_alone(iterations):
    """The plan of each class is that of its samples by themselves; a class without data has none."""
    gen, real = draw(6, 3), draw(7, 3, seed=1)
    ours = torch.tensor([0.0, 1, 0, 1, 0, 2])[:, None].double()
    theirs = torch.tensor([0.0, 1, 1, 1, 0, 0, 0])[:, None].double()
    data, model = sides(gen, real)
    loss = Coupling(iterations=iterations, per_class=True)
    whole = loss.pairs(gen, data | {"labels": theirs}, model | {"labels": ours})
    both = loss.coefficients(whole, 0.2)
    for k in range(2):
        mine, yours = ours[:, 0] == k, theirs[:, 0] == k
        block = torch.cat([mine, yours])
        alone = Coupling(iterations=iterations)
        pairs = alone.pairs(gen[mine], *sides(gen[mine], real[yours]))
        pairs.distances.copy_(whole.distances[mine][:, block])
        torch.testing.assert_close(
            both[mine][:, block], alone.coefficients(pairs, 0.2), rtol=1e-9, atol=1e-12
        )
        assert not both[mine][:, ~block].any()
    assert not both[5].any()


@pytest.mark.parametrize("value", [-1.0, 0.3, 2.5, float("inf"), float("nan")])
def test_iterations_are_none_half_or_whole(value):
    with pytest.raises(BadOption, match="iterations"):
        Coupling(iterations=value)
