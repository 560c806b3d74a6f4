"""Explicit features against the kernels they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gentk.errors import Incompatible
from gentk_mmd.gram import gram
from gentk_mmd.kernels import Dot, Gaussian, Laplacian, Polynomial, RationalQuadratic
from gentk_mmd.loss import MMDLoss
from gentk_mmd.nystrom import NystromFeatures
from gentk_mmd.rff import FourierFeatures


def rows(count: int, size: int, seed: int) -> torch.Tensor:
    """Normal rows, float64."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, size, generator=draw, dtype=torch.float64)


def slope(numbers: list[int], errors: list[float]) -> float:
    """The exponent of the error in the number of features."""
    return float(np.polyfit(np.log(numbers), np.log(errors), 1)[0])


@pytest.mark.parametrize("convention", ["standard", "gmmn"])
@pytest.mark.parametrize("laplacian", [False, True])
def test_random_fourier_features_converge_as_one_over_the_root(laplacian, convention):
    """The root mean square error of the kernel falls with a slope of about -1/2."""
    x, bandwidths = rows(20, 3, 0), (1.0, 2.0, 6.0)
    exact = gram(x, x, (Laplacian if laplacian else Gaussian)(bandwidths, convention))
    numbers, errors = [96, 384, 1536], []
    for number in numbers:
        found = []
        for seed in range(12):
            phi = FourierFeatures(
                bandwidths, convention, laplacian=laplacian, number=number, seed=seed
            )
            assert phi(x).shape == (20, number)
            found.append((phi(x) @ phi(x).T - exact).square().mean().item())
        errors.append(float(np.mean(found)) ** 0.5)

    assert -0.65 < slope(numbers, errors) < -0.35


@pytest.mark.parametrize("kernel", [Gaussian([2.0]), Laplacian([2.0]), RationalQuadratic()])
def test_nystrom_features_converge_at_least_as_fast(kernel):
    """With landmarks of the same law the error falls at least with a slope of -1/2."""
    x, data = rows(40, 2, 0), rows(400, 2, 1)
    exact = gram(x, x, kernel)
    numbers, errors = [10, 40, 160], []
    for number in numbers:
        phi = NystromFeatures(data[:number], kernel)
        errors.append((phi(x) @ phi(x).T - exact).square().mean().sqrt().item())

    assert slope(numbers, errors) < -0.4


@pytest.mark.parametrize(
    "kernel",
    [Gaussian([1.0, 2.0]), Laplacian([1.0]), RationalQuadratic(dot=True), Dot(), Polynomial()],
)
def test_nystrom_is_exact_at_its_landmarks(kernel):
    """<phi(z), phi(z')> = k(z, z'), also where the kernel matrix is singular."""
    z = torch.cat([rows(12, 3, 0), rows(12, 3, 0)[:2]])
    phi = NystromFeatures(z, kernel)(z)
    torch.testing.assert_close(phi @ phi.T, gram(z, z, kernel), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "kernel",
    [Gaussian([1.0, 2.0]), Laplacian([1.0]), RationalQuadratic(dot=True), Dot(), Polynomial()],
)
def test_the_kernel_matrix_is_differentiable(kernel):
    """In its samples, by finite differences."""
    x, z = rows(4, 3, 0).requires_grad_(), rows(5, 3, 1)
    assert torch.autograd.gradcheck(lambda x: gram(x, z, kernel), (x,))


@pytest.mark.parametrize("layers", ["joint", "each"])
@pytest.mark.parametrize("features", [("rff", "6000"), ("nystrom", "120")])
def test_the_explicit_form_is_close_to_the_kernel_form(features, layers):
    """MMD^2 of both forms agree, and so do their gradients' directions."""
    data = {"a": rows(120, 3, 0), "b": rows(120, 2, 1)}
    found, slopes = [], []
    for form in (None, features):
        loss = MMDLoss(bandwidths=(3.0, 5.0), layers=layers, features=form)
        loss.prepare(data)
        leaf = (rows(60, 3, 2) * 1.5).requires_grad_()
        model = {"a": leaf, "b": rows(60, 2, 3) + 0.5}
        reference = loss.reference(loss.summarise(data))
        value = loss(reference, loss.statistics(loss.summarise(model)))["mmd"]
        found.append(value.item())
        slopes.append(torch.autograd.grad(value, leaf)[0].flatten())

    assert found[1] == pytest.approx(found[0], rel=0.1)
    assert torch.cosine_similarity(*slopes, dim=0) > 0.95


def test_frequencies_depend_on_the_seed_alone():
    """Two losses of one seed make the same features; another seed makes others; types are kept."""
    x = {"x": rows(5, 4, 0).float()}
    means = [
        loss.statistics(loss.summarise(x))["mean"]
        for loss in (
            MMDLoss(features=("rff", "24")),
            MMDLoss(features=("rff", "24")),
            MMDLoss(features=("rff", "24"), seed=1),
        )
    ]
    assert torch.equal(means[0], means[1]) and not torch.equal(means[0], means[2])
    assert means[0].dtype == torch.float64
    phi = FourierFeatures([1.0], "standard", laplacian=False, number=4, seed=0)
    assert phi(x["x"]).dtype == torch.float32


def test_too_many_features_for_a_matrix_of_frequencies_are_refused(monkeypatch):
    """The error names pool=mean."""
    monkeypatch.setattr("gentk_mmd.rff.LARGEST", 100)
    with pytest.raises(Incompatible, match="type pool=mean"):
        MMDLoss(features=("rff", "64")).summarise({"x": rows(3, 40, 0)})
