"""The Frechet distance against closed forms, and where covariances are singular."""

from __future__ import annotations

import functools
import math
import operator

import mpmath
import numpy as np
import pytest
import torch

from gentk.errors import DataError, Incompatible
from gentk_moments.frechet import FrechetDistance, frechet_distance
from gentk_moments.halves import ROWS, HalvedMoments


def test_one_dimensional_closed_form():
    """N(0, 1) against N(1, 4) is 1 + 1 + 4 - 2 * 2 = 2."""
    one = torch.ones(1, 1, dtype=torch.float64)
    got = frechet_distance(torch.zeros(1), one, torch.ones(1), 4 * one)

    assert got.item() == pytest.approx(2, abs=1e-12)


def test_commuting_covariances_closed_form():
    """For diagonal covariances it is |m|^2 + sum (sqrt a - sqrt b)^2."""
    a, b = torch.rand(20, dtype=torch.float64) + 0.1, torch.rand(20, dtype=torch.float64)
    got = frechet_distance(torch.zeros(20), a.diag(), torch.full((20,), 0.5), b.diag())

    assert got.item() == pytest.approx((20 * 0.25 + ((a.sqrt() - b.sqrt()) ** 2).sum()).item())


def test_a_set_against_itself_is_zero_even_when_singular():
    """Fewer samples than features: finite, real, and zero against itself."""
    metric = FrechetDistance()
    summary = metric.summarise({"x": torch.randn(10, 64)})

    assert metric.values(summary, summary)[0].value == pytest.approx(0, abs=1e-6)


def test_it_is_symmetric_and_grows_with_the_shift():
    """FD(a, b) = FD(b, a), and a shift of the mean adds its square."""
    metric = FrechetDistance()
    a, b = torch.randn(300, 8), torch.randn(300, 8) * 1.5
    s = [metric.summarise({"x": rows}) for rows in (a, b, b + 3)]
    ab, ba = metric.values(s[0], s[1])[0].value, metric.values(s[1], s[0])[0].value
    near, far = ab, metric.values(s[0], s[2])[0].value

    assert ab == pytest.approx(ba, rel=1e-9)
    shift = (b.mean(0) + 3 - a.mean(0)).square().sum() - (b.mean(0) - a.mean(0)).square().sum()
    assert far - near == pytest.approx(shift.item(), rel=1e-4)


def test_one_image_is_too_few():
    """A covariance needs two samples; the error says so."""
    metric = FrechetDistance()
    one = metric.summarise({"x": torch.randn(1, 3)})
    with pytest.raises(DataError, match="at least 2"):
        metric.values(one, one)


def spectrum(size: int, orders: float, draw: torch.Generator, rank: int | None = None):
    """A covariance in a random basis, its eigenvalues falling over some orders of magnitude."""
    q = torch.linalg.qr(torch.randn(size, size, generator=draw, dtype=torch.float64))[0]
    values = torch.logspace(0, -orders, size, dtype=torch.float64)
    if rank is not None:
        values[rank:] = 0
    cov = (q * values) @ q.T
    return (cov + cov.T) / 2


def precise(cov_1: torch.Tensor, cov_2: torch.Tensor) -> float:
    """Tr C_1 + tr C_2 - 2 tr (C_1^1/2 C_2 C_1^1/2)^1/2 to sixty digits."""
    with mpmath.workdps(60):
        a, b = (mpmath.matrix(c.tolist()) for c in (cov_1, cov_2))
        values, vectors = mpmath.eigsy(a)
        # Rounding made the matrix in float64, and with it eigenvalues a little below zero.
        roots = [mpmath.sqrt(max(v, 0)) for v in values]
        root = vectors * mpmath.diag(roots) * vectors.T
        inner = root * b * root
        found = mpmath.eigsy((inner + inner.T) / 2, eigvals_only=True)
        trace = sum(a[i, i] + b[i, i] for i in range(a.rows))
        return float(trace - 2 * sum(mpmath.sqrt(max(v, 0)) for v in found))


@pytest.mark.parametrize(
    ("orders", "rank"), [(2, None), (8, None), (12, None), (15, None), (20, None), (2, 4)]
)
@pytest.mark.parametrize("other", ["another", "the same", "nearly the same"])
def test_ill_conditioned_covariances_are_exact_to_rounding(orders, rank, other):
    """Against sixty digits the error is below 1e-13 of the trace; scipy's and numpy's are 1e-8."""
    draw = torch.Generator().manual_seed(0)
    a = spectrum(12, orders, draw, rank)
    b = spectrum(12, orders, draw, rank) if other == "another" else a.clone()
    b = b * (1 + 1e-6) if other == "nearly the same" else b
    got = frechet_distance(torch.zeros(12), a, torch.zeros(12), b)

    assert abs(got.item() - precise(a, b)) < 1e-13 * (a.trace() + b.trace()).item()


@pytest.mark.parametrize("count", [2, 5, 40])
def test_fewer_samples_than_features_are_finite_and_their_closed_form(count):
    """Singular covariances: the trace is the nuclear norm of the samples' products."""
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(count, 64, generator=draw, dtype=torch.float64) for _ in range(2))
    metric = FrechetDistance()
    figures = metric.values(metric.summarise({"x": x}), metric.summarise({"x": y}))
    (figure,) = figures
    a, b = x - x.mean(0), y - y.mean(0)
    cross = torch.linalg.svdvals(a @ b.T).sum() / (count - 1)
    gap = (x.mean(0) - y.mean(0)).square().sum()
    expected = gap + (a.square().sum() + b.square().sum()) / (count - 1) - 2 * cross

    assert figure.value == pytest.approx(expected.item(), rel=1e-9)
    assert figure.error is None, "no error is known where covariances are singular"


def test_constant_features_are_finite():
    """A dead channel has no variance, on either side or on one."""
    x, y = torch.randn(100, 6), torch.randn(100, 6)
    x[:, 2] = y[:, 2] = 1.0
    y[:, 4] = 0.0
    metric = FrechetDistance()
    found = metric.values(metric.summarise({"x": x}), metric.summarise({"x": y}))

    assert all(math.isfinite(figure.value) for figure in found)


@pytest.mark.slow
def test_two_thousand_features_of_a_thousand_images():
    """At d = 2048 and n = 1000 the figure is finite and positive, and 0 of a set against itself."""
    draw = torch.Generator().manual_seed(0)
    metric = FrechetDistance()
    x, y = (metric.summarise({"x": torch.randn(1000, 2048, generator=draw)}) for _ in range(2))

    assert metric.values(x, y)[0].value > 0
    assert metric.values(x, x)[0].value == pytest.approx(0, abs=1e-6)


def closed_form(size: int):
    """Two Gaussians that do not commute: mean and factor of the second, and their distance."""
    draw = torch.Generator().manual_seed(1)
    basis = torch.linalg.qr(torch.randn(size, size, generator=draw))[0]
    first, second = torch.linspace(0.3, 2, size), basis * torch.linspace(0.4, 1.5, size)
    mean = torch.full((size,), 0.1)
    truth = frechet_distance(
        torch.zeros(size), first.square().diag(), mean, second.double() @ second.double().T
    )
    return first, second, mean, truth.item()


@pytest.mark.parametrize("same", [False, True])
def test_the_interval_covers_the_truth(same):
    """Extrapolated +- 1.96 errors holds the closed form 95 % +- 5 of 200 times: d 64, n 2,000.

    The plain figure, which is biased, does so hardly ever.
    """
    first, second, mean, truth = closed_form(64)
    truth = 0.0 if same else truth
    metric, draw = FrechetDistance(), torch.Generator().manual_seed(0)
    hits = plain = 0
    for _ in range(200):
        x = torch.randn(2000, 64, generator=draw) * first
        y = torch.randn(2000, 64, generator=draw)
        y = y * first if same else y @ second.T + mean
        figure, free = metric.values(metric.summarise({"x": x}), metric.summarise({"x": y}))
        hits += abs(free.value - truth) <= 1.96 * free.error
        plain += abs(figure.value - truth) <= 1.96 * figure.error

    assert 0.90 <= hits / 200 <= 1.0
    assert plain / 200 < 0.5


def test_halves_add_up_whatever_the_chunks():
    """Counts and moments do not depend on how the rows came, and are the same when restored."""
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(3000, 3, generator=draw) + 5
    whole = HalvedMoments.of({"x": rows})
    parts = [HalvedMoments.of({"x": part}, whole) for part in rows.split(7)]
    total = functools.reduce(operator.add, parts)

    even, odd = total.halves()
    assert total.count == 3000 and abs(even.count - odd.count) <= 3
    torch.testing.assert_close((even + odd).mean(), rows.double().mean(0))
    torch.testing.assert_close((even + odd).covariance(), rows.double().T.cov())
    kept = HalvedMoments.restore(*total.store())
    for ours, theirs in zip(kept.halves(), total.halves(), strict=True):
        torch.testing.assert_close(ours.covariance(), theirs.covariance())
    assert torch.equal(kept.rows, total.settled().rows)


@pytest.mark.parametrize("sizes", [(64,) * 150, (9600,), (3000, 100, 6500), (2047, 1, 1, 7551)])
def test_every_row_has_the_same_chance_to_be_kept(sizes):
    """Of sorted rows, in whatever parts, R distinct ones are kept, about as many of each stretch."""
    rows = torch.arange(9600.0)[:, None]
    parts = [HalvedMoments.of({"x": part}) for part in rows.split(sizes)]
    kept = functools.reduce(operator.add, parts).settled().rows[:, 0]
    counts = kept.histc(8, 0, 9600)
    # Of the hypergeometric distribution, at 4.5 standard deviations.
    mean, share = ROWS / 8, ROWS / 9600
    assert len(kept) == len(kept.unique()) == ROWS
    assert (counts - mean).abs().max() < 4.5 * (mean * (1 - share)) ** 0.5


def test_a_few_rows_are_all_kept():
    """Up to R rows the error is that of all, whatever the chunks, and stays so in a cache."""
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(ROWS, 4, generator=draw), torch.randn(500, 4, generator=draw) * 1.5
    metric = FrechetDistance()
    first = metric.summarise({"x": x[:64]})
    parts = [metric.summarise({"x": part}, first) for part in x[64:].split(64)]
    chunked = functools.reduce(operator.add, parts, first).settled()
    cached = HalvedMoments.restore(*chunked.store())
    other = metric.summarise({"x": y})
    errors = [metric.values(side, other)[0].error for side in (metric.summarise({"x": x}), cached)]

    assert torch.equal(cached.rows, x)
    assert errors[0] == pytest.approx(errors[1], rel=1e-6)


@pytest.mark.parametrize("features", ["normal", "sorted classes"])
def test_the_error_is_the_standard_deviation_over_other_images(features):
    """Over 60 pairs of sets, in chunks, more rows than are kept: the mean error is within 25 % of it.

    In ten classes and clipped at zero, features are anything but Gaussian.
    """
    draw = torch.Generator().manual_seed(0)

    def rows(scale: float) -> torch.Tensor:
        sample = torch.randn(3000, 6, generator=draw) * scale
        if features == "normal":
            return sample
        # Ten classes, one after another as in files: the first rows would be no sample of all.
        sample[:, :3] += torch.randint(10, (3000, 1), generator=draw).sort(0).values - 4.5
        return sample.relu()

    metric, values, errors = FrechetDistance(), [], []
    for _ in range(60):
        sides = []
        for scale in (1.0, 1.3):
            parts = [metric.summarise({"x": part}) for part in rows(scale).split(250)]
            sides.append(functools.reduce(operator.add, parts).settled())
        value = metric.values(*sides)[0]
        values.append(value.value)
        errors.append(value.error)

    std = torch.tensor(values).std().item()
    assert sum(errors) / 60 == pytest.approx(std, rel=0.25)
    assert torch.tensor(errors).std() < 0.4 * std


def test_the_interval_can_be_left_out():
    """interval=false is the figure alone, the same number."""
    a, b = ({"x": torch.randn(300, 4)} for _ in range(2))
    full, plain = FrechetDistance(), FrechetDistance(interval=False)
    with_it = full.values(full.summarise(a), full.summarise(b))
    without = plain.values(plain.summarise(a), plain.summarise(b))

    assert [figure.name for figure in with_it] == ["fd", "fd/extrapolated"]
    (figure,) = without
    assert figure.value == pytest.approx(with_it[0].value, rel=1e-9) and figure.error is None


def test_published_statistics_take_the_place_of_the_reference(tmp_path):
    """With the reference's own mean and covariance in a file, fd is fd; other files are refused."""
    draw = torch.Generator().manual_seed(0)
    real, made = (torch.randn(300, 5, generator=draw, dtype=torch.float64) * s for s in (1, 1.5))
    path = tmp_path / "stats.npz"
    np.savez(path, mu=real.mean(0).numpy(), sigma=np.cov(real.numpy(), rowvar=False))
    plain, metric = FrechetDistance(), FrechetDistance(statistics=path)
    sides = [plain.summarise({"x": rows}) for rows in (real, made)]
    other = plain.summarise({"x": made + 9})
    (value,) = metric.values(other, sides[1])
    assert value.value == pytest.approx(plain.values(*sides)[0].value, rel=1e-9)
    with pytest.raises(Incompatible, match="about 5 features"):
        metric.values(*(plain.summarise({"x": side[:, :3]}) for side in (real, made)))
    np.savez(path, images=np.zeros((2, 2)))
    with pytest.raises(DataError, match="mu and sigma"):
        metric.values(*sides)
    path.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="cannot be read"):
        metric.values(*sides)
