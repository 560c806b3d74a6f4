"""The witness function of the MMD, in plain autograd."""

from __future__ import annotations

import pytest
import torch

from gentk.registry import Registry
from gentk_mmd.kernels import ALPHAS, Bounded, Gaussian, Laplacian, RationalQuadratic
from gentk_mmd.witness import witness

KERNELS = ["gaussian", "rational-quadratic", "rational-quadratic-dot", "laplacian", "energy"]
NAMES = Registry()


@pytest.mark.parametrize("kernel", [*KERNELS, "dot", "polynomial"])
@pytest.mark.parametrize("layers", ["joint", "each"])
def test_its_means_over_both_sides_differ_by_the_mmd(kernel, layers):
    """The mean of f(data) - mean f(model) = MMD^2, biased, for every kernel, also layer by layer."""
    loss = NAMES.build("loss", f"mmd,kernel={kernel},layers={layers}")[0]
    draw = torch.Generator().manual_seed(0)
    sides = [
        {k: torch.randn(n, 3, generator=draw, dtype=torch.float64) + s for k in ("a", "b")}
        for n, s in ((7, 0.0), (5, 0.8))
    ]
    data, model = (loss.reference(loss.summarise(side)) for side in sides)
    ours, theirs = (loss.witness(side, data, model).mean() for side in sides)
    torch.testing.assert_close(ours - theirs, loss(data, model)["mmd"], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(
    "kernel",
    [
        Gaussian([0.7, 2.0]),
        Laplacian([1.5]),
        RationalQuadratic(ALPHAS, dot=True),
        Bounded(Gaussian([1.0]), low=0.5),
    ],
    ids=lambda kernel: type(kernel).__name__,
)
def test_it_is_differentiated_twice(kernel):
    """In the points and in both sets, by finite differences."""
    draw = torch.Generator().manual_seed(1)
    args = [
        torch.randn(n, 2, generator=draw, dtype=torch.float64, requires_grad=True)
        for n in (2, 3, 4)
    ]
    assert torch.autograd.gradgradcheck(lambda *sets: witness(*sets, kernel), args)
