"""`ma` and `ama` against transcriptions of the papers' and the released code's formulas."""

from __future__ import annotations

import pytest
import torch

from gentk.errors import BadOption
from gentk.interfaces import Estimator
from gentk_averages.ama import AdamMovingAverage
from gentk_averages.ma import MovingAverage

STEPS = 50
SIZE = 11


def batches(seed: int = 0, scale: float = 1.0) -> list[dict[str, torch.Tensor]]:
    """A drifting sequence of batch statistics, float64."""
    draw = torch.Generator().manual_seed(seed)
    mean = torch.randn(SIZE, generator=draw, dtype=torch.float64)
    return [
        {
            "mean": scale * (mean + 0.1 * torch.randn(SIZE, generator=draw, dtype=torch.float64)),
            "covariance": torch.rand(SIZE, generator=draw, dtype=torch.float64),
        }
        for _ in range(STEPS)
    ]


DATA = {
    "mean": torch.linspace(-1, 1, SIZE, dtype=torch.float64),
    "covariance": torch.linspace(0.1, 2, SIZE, dtype=torch.float64),
}


def feed(estimator: Estimator, sequence: list) -> list[dict[str, torch.Tensor]]:
    """Start the estimator and give it all batches."""
    estimator.start(DATA)
    return [estimator(batch, DATA) for batch in sequence]


@pytest.mark.parametrize("start", ["data", "first-batch"])
def test_ma_equals_its_recursion(start):
    """M <- (1 - alpha) m + alpha s over 50 steps (1e-12)."""
    sequence = batches()
    got = feed(MovingAverage(alpha=0.2, start=start), sequence)
    for name in DATA:
        mean = DATA[name] if start == "data" else sequence[0][name]
        for index, batch in enumerate(sequence):
            if start == "data" or index:
                mean = 0.8 * mean + 0.2 * batch[name]
            torch.testing.assert_close(got[index][name], mean, rtol=0, atol=1e-12)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("lr", [1e-5, 1e-2])
def test_ama_equals_torch_adam_on_a_free_vector(reduction, lr):
    """V follows torch.optim.Adam on 1/2 |v - Delta|^2 (sum) or mean |v - Delta|^2 (1e-12)."""
    sequence = batches()
    got = feed(AdamMovingAverage(lr=lr, reduction=reduction), sequence)
    for name in DATA:
        v = torch.zeros(SIZE, dtype=torch.float64, requires_grad=True)
        adam = torch.optim.Adam([v], lr=lr, betas=(0.5, 0.999))
        for index, batch in enumerate(sequence):
            gap = v - (DATA[name] - batch[name])
            objective = gap.square().sum() / 2 if reduction == "sum" else gap.square().mean()
            adam.zero_grad()
            objective.backward()
            adam.step()
            torch.testing.assert_close(
                got[index][name], DATA[name] - v.detach(), rtol=0, atol=1e-12
            )


def test_ama_with_sgd_would_be_ma():
    """SGD(lr alpha) on 1/2 |v - Delta|^2 is v <- (1 - alpha) v + alpha Delta: ma's recursion."""
    sequence = batches()
    got = feed(MovingAverage(alpha=0.3, start="data"), sequence)
    v = torch.zeros(SIZE, dtype=torch.float64, requires_grad=True)
    sgd = torch.optim.SGD([v], lr=0.3)
    for index, batch in enumerate(sequence):
        sgd.zero_grad()
        ((v - (DATA["mean"] - batch["mean"])).square().sum() / 2).backward()
        sgd.step()
        torch.testing.assert_close(
            got[index]["mean"], DATA["mean"] - v.detach(), rtol=0, atol=1e-12
        )


def test_ma_with_alpha_one_is_the_batch():
    """Alpha = 1 forgets everything: tracked = batch, gradient and all."""
    for batch, tracked in zip(batches(), feed(MovingAverage(alpha=1.0), batches()), strict=True):
        assert torch.equal(tracked["mean"], batch["mean"])


def test_gradient_goes_straight_through_times_scale():
    """D tracked / d batch = scale, whatever the tracked value."""
    for estimator in (MovingAverage(scale=0.25), AdamMovingAverage(scale=0.25)):
        estimator.start(DATA)
        batch = {k: v.clone().requires_grad_() for k, v in batches()[0].items()}
        estimator(batch, DATA)["mean"].sum().backward()
        assert torch.equal(batch["mean"].grad, torch.full((SIZE,), 0.25, dtype=torch.float64))


def test_v_equal_to_delta_gives_half_the_plain_gradient_at_scale_one_half():
    """With v = Delta the generator's gradient under scale 0.5 is half that of |Delta|^2."""
    batch = {k: v.clone().requires_grad_() for k, v in batches()[0].items()}
    estimator = AdamMovingAverage(scale=0.5)
    estimator.start(DATA, seed={k: v.detach() for k, v in batch.items()})
    estimator.eval()
    tracked = estimator(batch, DATA)
    sum((DATA[k] - tracked[k]).square().sum() for k in DATA).backward()

    for name in DATA:
        plain = -2 * (DATA[name] - batch[name].detach())
        torch.testing.assert_close(batch[name].grad, plain / 2, rtol=1e-12, atol=1e-14)


def test_small_steps_on_large_statistics_are_not_absorbed():
    """At lr 1e-5 on statistics of 1e4, v equals a float64 transcription (relative 1e-9)."""
    data = {"mean": torch.full((3,), 1e4, dtype=torch.float64)}
    estimator = AdamMovingAverage(lr=1e-5, reduction="sum")
    estimator.start(data)
    v = first = second = 0.0
    for step in range(1, STEPS + 1):
        estimator({"mean": data["mean"] - 5}, data)
        first = 0.5 * first + 0.5 * (v - 5)
        second = 0.999 * second + 0.001 * (v - 5) ** 2
        v -= 1e-5 * (first / (1 - 0.5**step)) / ((second / (1 - 0.999**step)) ** 0.5 + 1e-8)

    assert v == pytest.approx(STEPS * 1e-5, rel=1e-3)
    torch.testing.assert_close(
        estimator.get_buffer("gap_mean"),
        torch.full((3,), v, dtype=torch.float64),
        rtol=1e-9,
        atol=0,
    )


def test_random_start_is_the_released_codes():
    """start=random draws v from U(-1/sqrt(D), 1/sqrt(D))."""
    data = {"mean": torch.zeros(40_000, dtype=torch.float64)}
    estimator = AdamMovingAverage(start="random")
    estimator.start(data)
    gap = estimator.get_buffer("gap_mean") * 200

    assert gap.abs().max() <= 1
    assert gap.mean().abs() < 0.02 and abs(gap.var().item() - 1 / 3) < 0.01


@pytest.mark.parametrize(
    "make",
    [
        lambda: MovingAverage(alpha=0.2),
        lambda: MovingAverage(alpha=0.2, start="data"),
        lambda: AdamMovingAverage(),
    ],
)
def test_state_dict_alone_resumes(make):
    """25 steps, a new estimator with the old state, 25 more: bit-equal to 50."""
    sequence = batches()
    whole = feed(make(), sequence)
    first, second = make(), make()
    feed(first, sequence[:25])
    second.start(DATA)
    second.load_state_dict(first.state_dict())
    again = [second(batch, DATA) for batch in sequence[25:]]

    assert list(first.parameters()) == []
    for mine, theirs in zip(again, whole[25:], strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in DATA)


@pytest.mark.parametrize("make", [MovingAverage, AdamMovingAverage])
def test_eval_mode_does_not_move(make):
    """In eval mode an estimator returns what it tracks and stays there."""
    estimator = make()
    feed(estimator, batches())
    before = {k: v.clone() for k, v in estimator.state_dict().items()}
    estimator.eval()
    estimator(batches(1)[0], DATA)

    assert all(torch.equal(before[k], v) for k, v in estimator.state_dict().items())


@pytest.mark.parametrize("make", [MovingAverage, AdamMovingAverage])
def test_seeding_starts_from_the_models_statistics(make):
    """A seed's statistics are the tracked ones before the first step."""
    seed = batches(3)[0]
    estimator = make(seeding=10)
    estimator.start(DATA, seed)
    estimator.eval()
    tracked = estimator(batches(4)[0], DATA)

    torch.testing.assert_close(tracked["mean"], seed["mean"], rtol=0, atol=1e-14)


def test_out_of_range_options_are_refused():
    """alpha, lr and betas outside their range are one sentence each."""
    for make in (
        lambda: MovingAverage(alpha=0.0),
        lambda: AdamMovingAverage(lr=-1.0),
        lambda: AdamMovingAverage(betas=(1.0, 0.9)),
        lambda: AdamMovingAverage(seeding=-1),
        lambda: MovingAverage(seeding=-1),
    ):
        with pytest.raises(BadOption, match="write"):
            make()
