"""`kid`, `mmd` and `parzen` against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from gentk.errors import BadOption, DataError
from gentk.summary import Samples
from gentk_mmd.discrepancy import mmd2
from gentk_mmd.kernels import Gaussian, Polynomial
from gentk_mmd.kid import KernelDistance
from gentk_mmd.metric import Discrepancy
from gentk_mmd.parzen import Parzen, log_likelihoods

X = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
Y = torch.tensor([[0.0, 2.0], [3.0, 0.0]], dtype=torch.float64)


def samples(rows: torch.Tensor) -> Samples:
    """Rows as a summary."""
    return Samples.of({"x": rows})


def test_kid_of_all_images_is_the_check_value():
    """subset_size=all compares everything once."""
    (figure,) = KernelDistance(subset_size="all").values(samples(X), samples(Y))
    assert figure.value == pytest.approx(-7.3125, abs=1e-9)
    assert figure.error >= 0 and figure.direction == "lower"


def test_kid_is_the_mean_over_subsets_with_its_error():
    """Subsets that hold every image are all the set; smaller ones spread around its value."""
    x, y = torch.randn(200, 5), torch.randn(220, 5) + 0.5
    whole = mmd2(x, y, Polynomial(), unbiased=True).item()
    everything = KernelDistance(subset_size="all").values(samples(x), samples(x))[0]
    (full,) = KernelDistance(subsets=3, subset_size=200).values(samples(x), samples(x))
    (part,) = KernelDistance(subsets=60, subset_size=50).values(samples(x), samples(y))

    assert full.value == pytest.approx(everything.value, abs=1e-6)
    assert full.error == pytest.approx(everything.error, abs=1e-6)
    assert abs(part.value - whole) < 5 * part.error
    again = KernelDistance(subsets=60, subset_size=50).values(samples(x), samples(y))
    assert again == [part]


def test_the_error_of_kid_is_what_fresh_images_do():
    """The value +- 1.96 errors covers the truth 95 times in 100, at the same law and at another."""
    draw = torch.Generator().manual_seed(0)
    for shift in (0.0, 0.3):
        # E k over Gaussian pairs, by the moments of <x, y> / D, of which the first three count.
        truth, hits = polynomial_truth(8, shift), 0
        for _ in range(200):
            x = torch.randn(300, 8, generator=draw, dtype=torch.float64)
            y = torch.randn(300, 8, generator=draw, dtype=torch.float64) + shift
            (figure,) = KernelDistance(subset_size="all").values(samples(x), samples(y))
            hits += abs(figure.value - truth) <= 1.96 * figure.error
        assert 0.90 <= hits / 200 <= 1.0, (shift, hits)


def polynomial_truth(size: int, shift: float) -> float:
    """MMD^2 of N(0, 1) and N(shift, 1) under (<x, y> / D + 1)^3.

    With s = <x, y> / D and means a, b: E s = a.b / D, E s^2 and E s^3 by Isserlis' theorem.
    """

    def mean(a: float, b: float) -> float:
        p, q, r = a * b * size, a * a * size, b * b * size
        first, second = p, p * p + q + r + size
        third = p**3 + 3 * p * (q + r + size) + 6 * p
        return 1 + 3 * first / size + 3 * second / size**2 + third / size**3

    return mean(0, 0) + mean(shift, shift) - 2 * mean(0, shift)


def test_kid_pools_maps():
    """Maps are averaged over positions before they are compared."""
    assert KernelDistance().summarise({"x": torch.rand(4, 3, 2, 2)}).rows.shape == (4, 3)


def test_the_metric_mmd_is_the_losses_discrepancy():
    """With given bandwidths it is mmd2; with the median, that of the data's distances."""
    (figure,) = Discrepancy(bandwidths=(2.0,), unbiased=False).values(samples(X), samples(Y))
    assert figure.value == pytest.approx(0.503217, abs=1e-6)

    x, y = torch.randn(80, 3, dtype=torch.float64), torch.randn(90, 3, dtype=torch.float64)
    middle = torch.pdist(x).median().item()
    expected = mmd2(x, y, Gaussian([middle]), unbiased=True).item()
    assert Discrepancy().values(samples(x), samples(y))[0].value == pytest.approx(expected)
    assert Discrepancy(kernel="energy").values(samples(x), samples(x + 1))[0].value > 0.1


def test_parzen_check_value():
    """Two samples, sigma 0.2, the point between them: -1.744001 nats."""
    got = log_likelihoods(torch.tensor([[0.5, 0.0]], dtype=torch.float64), X, [0.2])
    assert got.item() == pytest.approx(-1.744001, abs=1e-6)


def test_parzen_equals_the_formula_for_every_sigma_and_block(monkeypatch):
    """Log-sum-exp over all samples, float64, however the points are split."""
    x, centres = torch.rand(23, 7, dtype=torch.float64), torch.rand(31, 7, dtype=torch.float64)
    sigmas = [0.05, 0.2, 1.0]
    d2 = (x[:, None] - centres[None]).square().sum(2)
    expected = torch.stack(
        [
            torch.logsumexp(-d2 / (2 * s**2), 1) - math.log(31) - 3.5 * math.log(2 * math.pi * s**2)
            for s in sigmas
        ],
        dim=1,
    )
    for block in (2**21, 70):
        monkeypatch.setattr("gentk_mmd.parzen.BLOCK", block)
        torch.testing.assert_close(
            log_likelihoods(x, centres, sigmas), expected, rtol=1e-10, atol=1e-10
        )


def test_far_points_do_not_underflow():
    """A point a hundred sigmas away has a finite likelihood."""
    far = log_likelihoods(torch.full((1, 2), 100.0), X.float(), [0.1])
    assert torch.isfinite(far).all()


def test_parzen_chooses_sigma_on_validation_images():
    """Samples of spread 0.2: the grid's best is near it, and the figures are test mean and error."""
    draw = torch.Generator().manual_seed(0)
    sample, test, validation = (
        samples(0.2 * torch.randn(n, 1, generator=draw, dtype=torch.float64))
        for n in (400, 300, 200)
    )
    metric = Parzen(low=0.02, high=0.4, step=0.02)
    assert len(metric.grid) == 20 and metric.grid[-1] == 0.4
    figure, sigma = metric.values(test, sample, validation=validation)

    means = log_likelihoods(validation.rows, sample.rows, metric.grid).mean(0)
    assert sigma.name == "parzen/sigma" and sigma.value == metric.grid[int(means.argmax())]
    each = log_likelihoods(test.rows, sample.rows, [sigma.value])
    assert figure.name == "parzen" and figure.direction == "higher"
    assert figure.value == pytest.approx(each.mean().item())
    assert figure.error == pytest.approx(each.std().item() / 300**0.5)


def test_the_default_grid_is_gmmns():
    """0.10 to 0.29 in steps of 0.01."""
    assert Parzen().grid == [round(0.01 * i, 2) for i in range(10, 30)]
    assert Parzen.also == {"validation"} and Parzen.extractor == "pixels"


def test_what_is_missing_or_out_of_range_is_one_sentence():
    """Each says what to type."""
    one, two = samples(X[:1]), samples(X)
    for call in (
        lambda: KernelDistance().values(two, two),
        lambda: KernelDistance(subset_size="all").values(one, two),
        lambda: Discrepancy().values(one, two),
        lambda: Parzen().values(two, two),
    ):
        with pytest.raises(DataError, match="type"):
            call()
    for make in (
        lambda: KernelDistance(subsets=0),
        lambda: KernelDistance(subset_size=1),
        lambda: KernelDistance(degree=0),
        lambda: Parzen(low=0.0),
        lambda: Parzen(step=0.0),
        lambda: Parzen(low=0.3, high=0.2),
    ):
        with pytest.raises(BadOption, match="write"):
            make()
