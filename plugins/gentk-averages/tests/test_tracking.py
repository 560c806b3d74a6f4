"""`ema`, `window`, `denoiser`, and averages without the current batch, against their formulas."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption, Incompatible
from gentk.testing import EstimatorSuite
from gentk_averages.denoiser import AffineDenoiser, slope
from gentk_averages.ema import ExponentialAverage
from gentk_averages.ma import MovingAverage
from gentk_averages.window import Window

SIZE, STEPS = 5, 12


def draw(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moments(seed, count=40, transform=None):
    """Mean and covariance of a batch."""
    rows = draw(count, SIZE, seed=seed) + 0.1 * seed
    rows = rows if transform is None else rows @ transform.T
    return {"mean": rows.mean(0), "covariance": torch.cov(rows.T)}


def feed(estimator, data=None, seed=None):
    data = data or moments(100)
    estimator.start(data, seed)
    return [estimator(moments(step), data) for step in range(STEPS)]


@pytest.mark.parametrize(
    "make", [MovingAverage, lambda **o: ExponentialAverage(seeding=0, decay=(0.9,), **o)]
)
def test_without_the_current_batch_values_are_a_step_late(make):
    """What is returned is what the same average returned a step before; the gradient is the batch's."""
    late, usual = feed(make(exclude=True)), feed(make())
    for after, before in zip(late[1:], usual, strict=False):
        for name in after:
            torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-14)
    assert torch.equal(late[0]["mean"], moments(0)["mean"]), "there is no batch before the first"
    estimator = make(exclude=True)
    estimator.start(moments(100))
    batch = {name: value.requires_grad_() for name, value in moments(0).items()}
    tracked = estimator(batch, moments(100))
    assert torch.equal(
        torch.autograd.grad(tracked["mean"].sum(), batch["mean"])[0], torch.ones(SIZE).double()
    )


def test_the_decay_follows_its_schedule():
    """1 - d is geometric between two steps, and constant before and after."""
    first, last, begin, end = 0.2, 0.02, 2, 8
    seed = moments(50)
    got = feed(
        ExponentialAverage(decay=(1 - first, 1 - last), between=(begin, end), seeding=9), seed=seed
    )
    mean = seed["mean"]
    for step, row in enumerate(got):
        # A seeded average counts the samples it starts from as its first step.
        share = min(max((step + 1 - begin) / (end - begin), 0), 1)
        rate = first * (last / first) ** share
        mean = (1 - rate) * mean + rate * moments(step)["mean"]
        torch.testing.assert_close(row["mean"], mean, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("batches", [1, 4, 50])
def test_a_window_is_the_mean_of_the_last_batches(batches):
    """As many as there were; of the seed for those that there were not."""
    seed = moments(50)
    for start in (None, seed):
        got = feed(Window(batches=batches), seed=start)
        for step, row in enumerate(got):
            rows = [moments(k)["covariance"] for k in range(step + 1)][-batches:]
            if start is not None:
                rows += [seed["covariance"]] * (batches - len(rows))
            wanted = torch.stack(rows).mean(0)
            torch.testing.assert_close(row["covariance"], wanted, rtol=1e-12, atol=1e-12)


def test_the_slope_is_that_of_the_denoisers_error():
    """By autograd, of tr(S - 2KS + K(S + 1)K); of matrices, and of variances entry by entry."""
    cov = moments(3)["covariance"]
    factor = draw(SIZE, SIZE, seed=1).requires_grad_()
    one = torch.eye(SIZE).double()

    def error(m, s):
        p = m @ m.T
        k = p @ torch.linalg.inv(p + one)
        return torch.trace(s - 2 * k @ s + k @ (s + one) @ k)

    [wanted] = torch.autograd.grad(error(factor, cov), factor)
    torch.testing.assert_close(slope(factor.detach(), cov), wanted, rtol=1e-9, atol=1e-12)
    m, s = draw(SIZE, seed=2), draw(SIZE, seed=3).square()
    matrix = torch.diag(m).requires_grad_()
    [wanted] = torch.autograd.grad(error(matrix, torch.diag(s)), matrix)
    torch.testing.assert_close(slope(m, s), wanted.diagonal(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("form", ["full", "diagonal"])
def test_a_denoiser_learns_a_covariance_and_keeps_it_positive(form):
    """From small batches of another covariance than the data's; every value has a Cholesky factor."""
    transform = 0.5 * torch.tril(draw(SIZE, SIZE, seed=7)) + 1.5 * torch.eye(SIZE).double()
    wanted = transform @ transform.T
    data = moments(100, 400)
    keep = (lambda m: m) if form == "full" else (lambda m: m.diagonal().clone())
    estimator = AffineDenoiser(lr=2e-2)
    estimator.kinds = {"mean": "real", "covariance": "psd"}
    data["covariance"] = keep(data["covariance"])
    estimator.start(data)
    values = []
    for step in range(500):
        if step == 300:
            estimator.covariance_lr = 2e-3
        batch = moments(step, 4, transform)  # Fewer samples than features.
        batch["covariance"] = keep(batch["covariance"])
        value = estimator(batch, data)["covariance"]
        matrix = value if form == "full" else torch.diag(value)
        assert not torch.linalg.cholesky_ex(matrix)[1]
        values.append(value)
    gap = (values[-1] - keep(wanted)).norm() / keep(wanted).norm()
    start = (values[0] - keep(wanted)).norm() / keep(wanted).norm()
    assert gap < 0.25 < start


def test_a_denoiser_follows_covariances_of_float32():
    """Of data whose directions differ by more than float32 tells apart; as in float64."""
    scales = torch.logspace(0, -4, SIZE).double()
    data, batch = ({"covariance": moments(k, 50, torch.diag(scales))["covariance"]} for k in (1, 2))
    values = []
    for kind in (torch.float32, torch.float64):
        estimator = AffineDenoiser()
        estimator.kinds = {"covariance": "psd"}
        sides = [{name: v.to(kind) for name, v in side.items()} for side in (data, batch)]
        estimator.start(sides[0])
        values.append(estimator(sides[1], sides[0])["covariance"].double())
    torch.testing.assert_close(values[0], values[1], rtol=1e-4, atol=1e-7)


def test_a_seeded_denoiser_starts_from_the_generator():
    """Before it moves it returns the seed's covariance."""
    estimator, data, seed = (
        AffineDenoiser(seeding=9),
        moments(100),
        moments(50, 30, 2 * torch.eye(SIZE).double()),
    )
    estimator.kinds = {"covariance": "psd"}
    estimator.start(data, seed)
    estimator.eval()
    tracked = estimator(moments(0), data)
    torch.testing.assert_close(tracked["covariance"], seed["covariance"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(tracked["mean"], seed["mean"])


@pytest.mark.parametrize(
    ("make", "error", "word"),
    [
        (lambda: ExponentialAverage(decay=(1.0,)), BadOption, "decay"),
        (lambda: ExponentialAverage(decay=(0.9, 0.99)), Incompatible, "between"),
        (lambda: ExponentialAverage(decay=(0.9, 0.99), between=(5, 2)), BadOption, "between"),
        (lambda: ExponentialAverage(seeding=1), BadOption, "seeding"),
        (lambda: Window(batches=0), BadOption, "batches"),
        (lambda: Window(seeding=-1), BadOption, "seeding"),
        (lambda: AffineDenoiser(lr=0.0), BadOption, "lr"),
    ],
)
def test_what_cannot_be_is_refused(make, error, word):
    with pytest.raises(error, match=word):
        make()


class TestCovariances(EstimatorSuite):
    """The suite once more, with covariances that are positive by kind."""

    spec = "denoiser"

    def statistics(self, seed=0):
        rows = draw(9, 4, seed=seed)
        return {"mean": rows.mean(0), "covariance": torch.cov(rows.T), "variance": rows.var(0)}

    def make(self, *arguments, **options):
        made = super().make(*arguments, **options)
        names = ("covariance", "variance", "its_covariance", "its_variance")
        made.kinds = dict.fromkeys(names, "psd")
        return made


@pytest.mark.parametrize("shape", [(3,), (3, 3)])
def test_a_covariance_of_0_has_no_denoiser(shape):
    """Nothing varies in the data: there are no units, which is one sentence and not a nan later."""
    denoiser = AffineDenoiser()
    denoiser.kinds = {"covariance": "psd"}
    with pytest.raises(Incompatible, match=r"denoiser.*'covariance' is 0.*--estimator ema"):
        denoiser.start({"covariance": torch.zeros(shape).double()})


@pytest.mark.parametrize("make", [AffineDenoiser, ExponentialAverage])
def test_sentences_name_the_estimator_that_was_typed(make):
    """Not the one that it is made of."""
    with pytest.raises(BadOption, match=make.owner):
        make(seeding=1)
    estimator = make(seeding=0)
    estimator.start({"mean": torch.zeros(3)})
    with pytest.raises(Incompatible, match=make.owner):
        estimator({"other": torch.zeros(3)}, {"mean": torch.zeros(3)})
