"""MMD^2 against printed values, a transcription, finite differences and itself in other blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import transcription
from hypothesis import given, settings
from hypothesis import strategies as st

from gentk.errors import DataError, Incompatible
from gentk_mmd.choice import KernelChoice
from gentk_mmd.discrepancy import mmd2
from gentk_mmd.kernels import BANDWIDTHS, Gaussian, Kernel, Polynomial, RationalQuadratic

X = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
Y = torch.tensor([[0.0, 2.0], [3.0, 0.0]], dtype=torch.float64)

NAMES = [
    "gaussian",
    "laplacian",
    "energy",
    "rational-quadratic",
    "rational-quadratic-dot",
    "dot",
    "polynomial",
]


def make(name: str, bandwidths=BANDWIDTHS, convention="gmmn") -> Kernel:
    """A kernel by its name."""
    choice = KernelChoice("loss 'mmd'", name, ("median",), convention)
    return choice.kernel(tuple(bandwidths))


def rows(count: int, size: int, seed: int, dtype=torch.float64) -> torch.Tensor:
    """Normal rows."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, size, generator=draw, dtype=torch.float64).to(dtype)


def weights(count: int, seed: int) -> torch.Tensor:
    """Positive weights that add up to one."""
    found = torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (found + 0.1) / (found + 0.1).sum()


@pytest.mark.parametrize(
    ("kernel", "factor", "biased", "unbiased"),
    [
        (Gaussian([2], "gmmn"), 1, 0.844956, 0.253744),
        (Gaussian([2], "standard"), 1, 0.503217, 0.042921),
        (Gaussian(BANDWIDTHS, "gmmn"), 1, 1.646388, 0.106080),
        (Gaussian([1, 2, 4, 8, 16], "standard"), 5, 1.794934, 0.390654),
        (RationalQuadratic(), 1, 3.963307, 1.153307),
        (RationalQuadratic(dot=True), 1, 5.963307, -0.346693),
        (Polynomial(), 1, 41.125, -7.3125),
    ],
)
def test_check_values(kernel, factor, biased, unbiased):
    """Two points against two: the values worked out by hand; a mean over five kernels is a fifth."""
    assert factor * mmd2(X, Y, kernel).item() == pytest.approx(biased, abs=1e-6)
    assert factor * mmd2(X, Y, kernel, unbiased=True).item() == pytest.approx(unbiased, abs=1e-6)


@settings(deadline=None, max_examples=200)
@given(
    name=st.sampled_from(NAMES),
    counts=st.tuples(st.integers(2, 6), st.integers(2, 6)),
    size=st.integers(1, 5),
    seed=st.integers(0, 2**30),
    weighted=st.booleans(),
    unbiased=st.booleans(),
    convention=st.sampled_from(["gmmn", "standard"]),
    bandwidths=st.lists(st.sampled_from([0.5, 1, 2, 3.7, 5, 10, 80]), min_size=1, max_size=4),
    block=st.sampled_from([None, 1, 2, 3]),
)
def test_every_kernel_equals_the_transcription(
    name, counts, size, seed, weighted, unbiased, convention, bandwidths, block
):
    """V and U statistics, weighted or not, in blocks or not, equal the double loops (1e-9)."""
    x, y = rows(counts[0], size, seed), rows(counts[1], size, seed + 1) * 1.5 + 0.5
    u = weights(counts[0], seed) if weighted else None
    v = weights(counts[1], seed + 1) if weighted else None
    got = mmd2(
        x,
        y,
        make(name, bandwidths, convention),
        x_weights=u,
        y_weights=v,
        unbiased=unbiased,
        block=block,
    )
    expected = transcription.mmd2(
        x.numpy(),
        y.numpy(),
        name,
        None if u is None else u.numpy(),
        None if v is None else v.numpy(),
        unbiased,
        bandwidths=bandwidths,
        convention=convention,
    )

    assert got.dtype == torch.float64
    assert got.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_equal_finite_differences(name, weighted, unbiased):
    """In x and in y, for every kernel, float64, in blocks of two rows."""
    x, y = rows(5, 3, 0).requires_grad_(), rows(4, 3, 1).requires_grad_()
    u, v = (weights(5, 2), weights(4, 3)) if weighted else (None, None)

    def value(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        kernel = make(name)
        return mmd2(x, y, kernel, x_weights=u, y_weights=v, unbiased=unbiased, block=2)

    assert torch.autograd.gradcheck(value, (x, y))
    assert torch.autograd.gradcheck(lambda x: value(x, y.detach()), (x,))
    assert torch.autograd.gradcheck(lambda y: value(x.detach(), y), (y,))


@pytest.mark.parametrize("bandwidths", [(1,), (1, 3), (2, 3, 5, 7), (0.3, 40), (4, 4, 2)])
def test_mixtures_of_any_bandwidths_have_the_right_slope(bandwidths):
    """Whole ratios, broken ratios, too large ones and repeated ones: gradients of the plain formula."""
    for convention in ("gmmn", "standard"):
        x, y = rows(6, 2, 0).requires_grad_(), rows(5, 2, 1)
        ours = torch.autograd.grad(mmd2(x, y, Gaussian(bandwidths, convention)), x)[0]

        def plain(a, b, convention=convention):
            d2 = (a[:, None] - b[None]).square().sum(2)
            widths = [s**2 if convention == "standard" else s for s in bandwidths]
            parts = torch.stack([torch.exp(-d2 / (2 * s)) for s in widths])
            return (parts.mean(0) if convention == "standard" else parts.sum(0)).mean()

        value = plain(x, x) + plain(y, y) - 2 * plain(x, y)
        torch.testing.assert_close(ours, torch.autograd.grad(value, x)[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_do_not_change_value_or_gradient(name):
    """One block, blocks of 7 rows and blocks of one row agree to rounding."""
    found = []
    for block in (64, 7, 1):
        x, y = rows(40, 6, 0).requires_grad_(), rows(33, 6, 1).requires_grad_()
        value = mmd2(x, y, make(name), unbiased=True, block=block)
        found.append((value, *torch.autograd.grad(value, (x, y))))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_many_tiles_do_not_change_value_or_gradient(name, monkeypatch):
    """Blocks that are worked on in tiles of a few rows agree with whole ones."""
    found = []
    for tile in (2**17, 100):
        monkeypatch.setattr("gentk_mmd.pairs.TILE", tile)
        x, y = rows(40, 6, 0).requires_grad_(), rows(33, 6, 1)
        value = mmd2(x, y, make(name), block=16)
        found.append((value, *torch.autograd.grad(value, x)))
    torch.testing.assert_close(found[1], found[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_float32_agrees_with_float64_far_from_the_origin(name):
    """Features of mean 30 lose nothing to cancellation where the kernel sees differences only."""
    shift = 0.0 if name in ("polynomial", "dot", "rational-quadratic-dot") else 30.0
    found = []
    for dtype in (torch.float32, torch.float64):
        x = (rows(200, 16, 0, torch.float32) * 1.2 + shift).to(dtype).requires_grad_()
        y = (rows(150, 16, 1, torch.float32) + shift).to(dtype)
        value = mmd2(x, y, make(name))
        found.append((value, torch.autograd.grad(value, x)[0].double()))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=2e-5, atol=1e-7)
    scale = found[1][1].abs().max().item()
    torch.testing.assert_close(found[0][1], found[1][1], rtol=0, atol=2e-5 * scale)


@settings(deadline=None, max_examples=60)
@given(name=st.sampled_from(NAMES), seed=st.integers(0, 2**30), count=st.integers(1, 9))
def test_biased_is_symmetric_not_negative_and_zero_between_equals(name, seed, count):
    """D(x, y) = D(y, x) >= 0, and D(x, x) = 0 whatever the order of samples."""
    x, y = rows(count, 3, seed), rows(count + 1, 3, seed + 1)
    kernel = make(name)
    there, back = mmd2(x, y, kernel).item(), mmd2(y, x, kernel).item()

    assert there == pytest.approx(back, rel=1e-9, abs=1e-12)
    assert there >= -1e-12
    assert mmd2(x, x.flip(0), kernel).item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("dot", "polynomial")])
def test_different_sets_are_apart(name):
    """A characteristic kernel tells sets of equal means apart."""
    x = rows(300, 2, 0)
    assert mmd2(x, x * 2, make(name)).item() > 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_equal_sets_have_finite_value_and_gradient(name, dtype):
    """No root of zero divides: equal sets, and sets of one repeated sample."""
    for x in (rows(12, 3, 0, dtype), torch.ones(12, 3, dtype=dtype)):
        leaf = x.clone().requires_grad_()
        value = mmd2(leaf, x, make(name))
        value.backward()

        assert math.isfinite(value.item())
        assert torch.isfinite(leaf.grad).all()
        assert leaf.grad.abs().max() < 1e-3


@pytest.mark.parametrize("name", ["rational-quadratic-dot", "gaussian", "energy"])
def test_unbiased_has_mean_zero_for_two_samples_of_one_law(name):
    """Over 2,000 pairs of samples far from the origin the mean is within 4 standard errors of 0."""
    kernel = make(name)
    draws = rows(2000 * 8, 2, 5).view(2000, 2, 4, 2) + 3
    values = np.array([mmd2(x, y, kernel, unbiased=True).item() for x, y in draws])

    assert abs(values.mean()) < 4 * values.std() / len(values) ** 0.5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("block", [None, 3, 4])
@pytest.mark.parametrize("unbiased", [False, True])
def test_constants_change_nothing_but_their_own_gradient(name, block, unbiased):
    """Value and the other samples' gradient are the same; the constants' gradient is zero."""
    kernel = make(name)
    x, y, u = rows(9, 3, 1).requires_grad_(), rows(6, 3, 2), weights(9, 3)
    options = {"x_weights": u, "unbiased": unbiased, "block": block}
    whole = mmd2(x, y, kernel, **options)
    (expected,) = torch.autograd.grad(whole, x)
    part = mmd2(x, y, kernel, constant=5, **options)
    (found,) = torch.autograd.grad(part, x)

    torch.testing.assert_close(part, whole)
    torch.testing.assert_close(found[5:], expected[5:])
    assert not found[:5].any()


def test_uniform_weights_are_no_weights():
    """Weights of 1/N give the same value and gradient as none; a weight of zero is no sample."""
    for unbiased in (False, True):
        x, y = rows(9, 4, 0).requires_grad_(), rows(7, 4, 1)
        uniform = torch.full((9,), 1 / 9, dtype=torch.float64)
        padded = torch.cat([torch.full((9,), 1 / 9), torch.zeros(5)]).double()
        values = [
            mmd2(x, y, make("gaussian"), unbiased=unbiased),
            mmd2(x, y, make("gaussian"), x_weights=uniform, unbiased=unbiased),
        ]
        more = torch.cat([x, torch.zeros(5, 4)])
        kernel = make("gaussian")
        values.append(mmd2(more, y, kernel, x_weights=padded / padded.sum(), unbiased=unbiased))
        slopes = [torch.autograd.grad(value, x)[0] for value in values]
        for value, slope in zip(values[1:], slopes[1:], strict=True):
            torch.testing.assert_close(value, values[0], rtol=1e-7, atol=1e-9)
            torch.testing.assert_close(slope, slopes[0], rtol=1e-6, atol=1e-9)


def test_no_graph_means_no_gradient_work():
    """Under no_grad, and for sets that need none, only the value is made."""
    x, y = rows(5, 2, 0).requires_grad_(), rows(5, 2, 1)
    with torch.no_grad():
        assert not mmd2(x, y, make("gaussian")).requires_grad
    assert not mmd2(x.detach(), y, make("gaussian")).requires_grad


def test_half_precision_features_are_widened():
    """bfloat16 features give a float64 value and a bfloat16 gradient."""
    x = rows(8, 3, 0).bfloat16().requires_grad_()
    value = mmd2(x, rows(8, 3, 1).bfloat16(), make("gaussian"))
    value.backward()

    assert value.dtype == torch.float64 and x.grad.dtype == torch.bfloat16


def test_sets_that_cannot_be_compared_are_refused():
    """Other numbers of features, and a set of one for the unbiased form, are one sentence each."""
    with pytest.raises(Incompatible, match="D is 2 in x and 4 in y"):
        mmd2(rows(3, 2, 0), rows(3, 4, 0), make("gaussian"))
    with pytest.raises(DataError, match="at least 2 along N of x"):
        mmd2(rows(1, 2, 0), rows(3, 2, 0), make("gaussian"), unbiased=True)
