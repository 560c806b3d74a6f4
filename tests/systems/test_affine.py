"""Matching losses on two Gaussians in the plane: an affine generator finds mean and covariance."""

from __future__ import annotations

import pytest
import torch

from gentk.engine import Discrepancy
from gentk.registry import Registry
from gentk.summary import Samples

COUNT, BATCH, STEPS = 4096, 256, 500
LOSSES = {
    "gaussian-kl": ("ema,decay=0.9,exclude=true,seeding=256", 0.5),
    "gaussian-kl,covariance=layers": ("ma,exclude=true", 0.5),
    "drift,temperatures=0.2+0.5": ("batch", 0.6),
    "coupling,iterations=0,temperatures=0.5": ("batch", 0.6),
    "coupling,iterations=0.5,temperatures=0.5": ("batch", 0.9),
    "coupling,iterations=3,pairs=halves,temperatures=0.2": ("batch", 0.3),
    "fd": ("batch", 0.2),
    "fd,layers=each": ("window,batches=4,seeding=256", 0.2),
    "sliced,projections=32": ("batch", 2.0),
    "mmd,kernel=energy,unbiased=true": ("batch", 4.0),
    "mmd,kernel=energy,pairs=linear": ("batch", 0.5),
    "mmd,features=nystrom+64,hybrid=true,bandwidths=median": ("batch", 9.0),
    "moments,covariance=full": ("denoiser", 0.1),
}
"""A loss -> its estimator and the learning rate, which falls to 0."""

BATCHES = {
    "coupling,iterations=0.5,temperatures=0.5": 384,
    "sliced,projections=32": 512,
    "mmd,kernel=energy,unbiased=true": 384,
    "mmd,features=nystrom+64,hybrid=true,bandwidths=median": 768,
}
"""Samples a step, of what compares a batch with itself or another: a covariance of 256 is off by 9 %."""


def trained(text: str, estimator: str, lr: float) -> tuple[float, float]:
    """Return how far mean and covariance are from the data's, in units of their size.

    They are those of the second half of the steps on average: what a batch's noise does is no fault.
    """
    names = Registry()
    batch = BATCHES.get(text, BATCH)
    loss, tracker = names.build("loss", text)[0], names.build("estimator", estimator)[0]
    draw = torch.Generator().manual_seed(0)
    root = torch.tensor([[1.2, 0.0], [0.6, 0.7]])
    real = torch.randn(COUNT, 2, generator=draw) @ root.T + torch.tensor([1.0, -0.5])
    if loss.preparation:
        loss.prepare({"x": real[: loss.preparation]})
    data = loss.summarise_data({"x": real}).settled()
    fresh = None
    if issubclass(loss.data_summary, Samples):

        def fresh():
            return data.take(torch.randint(COUNT, (batch,), generator=draw))

    matrix, shift = torch.eye(2).requires_grad_(), torch.zeros(2).requires_grad_()

    def samples(count):
        return {"x": torch.randn(count, 2, generator=draw) @ matrix.T + shift}

    discrepancy = Discrepancy(loss, tracker, data, fresh=fresh)
    with torch.no_grad():
        seed = loss.statistics(loss.summarise(samples(max(tracker.seeding, 2))))
    discrepancy.start(seed if tracker.seeding else None, lambda: seed)
    optimizer = torch.optim.SGD([matrix, shift], lr=lr)
    covariance, mean = torch.zeros(2, 2), torch.zeros(2)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / STEPS)
        optimizer.zero_grad()
        discrepancy.refresh()
        like = data if isinstance(data, loss.summary) else None
        discrepancy.compare(loss.summarise(samples(batch), like)).objective.backward()
        optimizer.step()
        if step >= STEPS // 2:
            covariance += (matrix @ matrix.T).detach() / (STEPS // 2)
            mean += shift.detach() / (STEPS // 2)
    cov = torch.cov(real.T)
    return (
        float((mean - real.mean(0)).norm() / cov.trace().sqrt()),
        float((covariance - cov).norm() / cov.norm()),
    )


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("text", LOSSES)
def test_mean_and_covariance_are_those_of_the_data(text):
    """Within two percent after 500 steps of plain gradient descent from N(0, 1)."""
    mean, covariance = trained(text, *LOSSES[text])
    assert mean < 0.02 and covariance < 0.02, f"mean {mean:.1%}, covariance {covariance:.1%}"
