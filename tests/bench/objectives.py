"""Matching losses as ratios: `python tests/bench/objectives.py`, one thread.

Value and gradient of each in 128 samples of 256 and of 1,280 features, against a plain transcription of
its formula, after both agreed; and a training step with an ImageNet network over its bare passes. Exit
status 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import cast

import torch
from ratios import BATCH as STEP
from ratios import Row, bare_step, clock, loop, parts, ratio, step_over_bare
from report import report
from torch import Tensor

from gentk.engine.device import keep_memory
from gentk.engine.operations import Operations
from gentk.interfaces import MatchingLoss, total
from gentk.registry import Registry

BATCH, DATA = 128, 1024
TEMPERATURES = (0.02, 0.05, 0.2)
RIDGE = 0.6
PROJECTIONS = 128
LITE, GENERATOR = "timm:tf_efficientnet_lite0", "resnet,width=24"
WIDE = 1024
"""The size of matrices whose product says how fast products are."""
STEPS = {
    "gaussian-kl,covariance=layers": "ema,exclude=true,seeding=64",
    "gaussian-kl,covariance=diagonal": "ema,exclude=true,seeding=64",
    "drift": "batch",
}
"""A loss of which a whole step is measured -> its estimator."""

Plain = Callable[[Tensor, Tensor], Callable[[Tensor], Tensor]]
"""All data (M, D), the step's minibatch -> the value of samples (N, D); the data's part is made once."""


def moments(data: Tensor, fresh: Tensor) -> Callable[[Tensor], Tensor]:
    """|m_p - m_q|^2 + |v_p - v_q|^2."""
    mean, var = data.double().mean(0).float(), data.double().var(0).float()
    return lambda z: (z.mean(0) - mean).square().sum() + (z.var(0) - var).square().sum()


def gaussian_kl(data: Tensor, fresh: Tensor) -> Callable[[Tensor], Tensor]:
    """The field with plain inverses, and a regression onto what it points at."""
    wide = data.double()
    mean_p, cov_p = wide.mean(0), torch.cov(wide.T)
    one = torch.eye(len(cov_p), dtype=torch.float64)
    values = torch.linalg.eigvalsh(cov_p)
    ridge = values[values > 1e-12 * values[-1]].quantile(RIDGE)
    there = torch.linalg.inv(cov_p + ridge * one)

    def value(z: Tensor) -> Tensor:
        with torch.no_grad():
            own = z.double()
            mean_q = own.mean(0)
            here = torch.linalg.inv(torch.cov(own.T) + ridge * one)
            v = (mean_p - own) @ there - (mean_q - own) @ here
            goal = z + v.float()
        return (z - goal).square().sum(1).mean() / 2

    return value


def frechet(data: Tensor, fresh: Tensor) -> Callable[[Tensor], Tensor]:
    """The distance with autograd through the eigenvalues of S_p^1/2 S_q S_p^1/2."""
    wide = data.double()
    mean_p, cov_p = wide.mean(0), torch.cov(wide.T)
    values, vectors = torch.linalg.eigh(cov_p)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T

    def value(z: Tensor) -> Tensor:
        own = z.double()
        cov_q = torch.cov(own.T)
        inner = root @ cov_q @ root
        roots = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp(min=1e-12).sqrt()
        gap = (own.mean(0) - mean_p).square().sum()
        return gap + torch.trace(cov_p) + torch.trace(cov_q) - 2 * roots.sum()

    return value


def drift(data: Tensor, fresh: Tensor) -> Callable[[Tensor], Tensor]:
    """As the released code goes: a force for each temperature, and a regression."""

    def value(z: Tensor) -> Tensor:
        with torch.no_grad():
            targets = torch.cat([z, fresh])
            d = torch.cdist(z, targets).clamp(min=1e-4)
            scale = d.mean()
            unit = scale / z.shape[1] ** 0.5
            x, y = z / unit, targets / unit
            d = d / scale
            d += 100 * torch.eye(len(z), len(targets))
            force = torch.zeros_like(z)
            for r in TEMPERATURES:
                a = torch.softmax(-d / r, 1) * torch.softmax(-d / r, 0)
                a = a.clamp(min=1e-6).sqrt()
                negative, positive = a[:, : len(z)], a[:, len(z) :]
                c = torch.cat(
                    [
                        -negative * positive.sum(1, keepdim=True),
                        positive * negative.sum(1, keepdim=True),
                    ],
                    dim=1,
                )
                own = c @ y - c.sum(1, keepdim=True) * x
                force += own / own.square().mean().sqrt().clamp(min=1e-4)
            goal = x + force
        return (z / unit - goal).square().mean()

    return value


def coupling(data: Tensor, fresh: Tensor) -> Callable[[Tensor], Tensor]:
    """Three rounds of Sinkhorn to data and to the other samples, for each temperature."""

    def plan(costs: Tensor, r: float) -> Tensor:
        logits = -costs / r
        for _ in range(3):
            logits = logits - logits.logsumexp(1, keepdim=True)
            logits = logits - logits.logsumexp(0, keepdim=True)
        return logits.softmax(1)

    def value(z: Tensor) -> Tensor:
        with torch.no_grad():
            away, towards = torch.cdist(z, z).clamp(min=1e-4), torch.cdist(z, fresh)
            off = ~torch.eye(len(z), dtype=torch.bool)
            scale = (away[off].sum() + towards.sum()) / (off.sum() + towards.numel())
            unit = scale / z.shape[1] ** 0.5
            x, y = z / unit, fresh / unit
            selves = (away / scale).masked_fill(~off, 1e9)
            force = torch.zeros_like(z)
            for r in TEMPERATURES:
                own = plan(towards / scale, r) @ y - plan(selves, r) @ x
                force += own / own.square().mean().sqrt().clamp(min=1e-4)
            goal = x + force
        return (z / unit - goal).square().mean()

    return value


def sliced(data: Tensor, fresh: Tensor) -> Callable[[Tensor], Tensor]:
    """Sorted projections, with autograd through the sort."""
    normal = torch.randn(data.shape[1], PROJECTIONS, generator=torch.Generator().manual_seed(0))
    directions = normal / normal.norm(dim=0)

    def value(z: Tensor) -> Tensor:
        a, b = (z @ directions).sort(0).values, (fresh @ directions).sort(0).values
        return (a - b).square().mean()

    return value


def energy(data: Tensor, fresh: Tensor) -> Callable[[Tensor], Tensor]:
    """Mean distances between the sides, less those within each, of a sample from itself too."""
    return lambda z: (
        2 * torch.cdist(z, fresh).mean()
        - torch.cdist(z, z).mean()
        - torch.cdist(fresh, fresh).mean()
    )


PLAIN: dict[str, Plain] = {
    "moments": moments,
    "fd": frechet,
    "gaussian-kl": gaussian_kl,
    "drift": drift,
    "coupling,iterations=3": coupling,
    f"sliced,projections={PROJECTIONS}": sliced,
    "mmd,kernel=energy": energy,
}


def ours(text: str, data: Tensor, fresh: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the value of samples by a loss, as a step computes it."""
    loss = cast(MatchingLoss, Registry().build("loss", text)[0])
    if loss.preparation:
        loss.prepare({"phi": data[: loss.preparation]})
    sampled = "samples" in loss.kinds() and loss.data_summary is loss.summary
    side = loss.summarise_data({"phi": fresh if sampled else data})
    reference = loss.reference(side)
    like = None if sampled or loss.data_summary is not loss.summary else side

    def value(z: Tensor) -> Tensor:
        model = loss.statistics(loss.summarise({"phi": z}, like))
        return total(loss.compare(reference, model)[0])

    return value


def sides(features: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return all data, a minibatch of them, and samples that want a gradient."""
    draw = torch.Generator().manual_seed(0)
    scales = torch.linspace(0.5, 2, features)
    data = torch.randn(DATA, features, generator=draw) * scales
    samples = 1.2 * torch.randn(BATCH, features, generator=draw) * scales + 0.1
    return data, data[:BATCH], samples.requires_grad_()


def over_plain(text: str, features: int, rounds: int) -> float:
    """Return the time of value and gradient over that of the transcription, after both agreed."""
    data, fresh, z = sides(features)
    mine, theirs = ours(text, data, fresh), PLAIN[text](data, fresh)

    def slope(value: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.autograd.grad(value(z), z)[0]

    gap = (slope(mine) - slope(theirs)).norm() / slope(theirs).norm()
    assert float(gap) < 0.02, f"{text}: the gradients are {float(gap):.1%} apart"
    # By the processor's time: of one thread it is the same, and nobody else's work is in it.
    return ratio(lambda: slope(mine), lambda: slope(theirs), rounds, time.process_time)


def floor(text: str, estimator: str) -> float:
    """Return what a step over its bare passes would be if a loss took its operations alone.

    Those of its products, factors and triangular solves, at the speed of a product of large matrices;
    whatever else a step does, and memory, for nothing.
    """
    made, space, registry = parts(LITE, GENERATOR)
    running = loop(made, space, registry, (text, estimator), batch=STEP)
    bare = bare_step(made, space)
    with Operations() as whole:
        running._turn()
    with Operations() as passes:
        bare()
    wide = torch.randn(WIDE, WIDE)
    ways: tuple[Callable[[], object], ...] = (bare, lambda: wide @ wide)
    passed, product = (min(clock(way, time.process_time) for _ in range(9)) for way in ways)
    return 1 + (whole.total - passes.total) * product / (2 * WIDE**3) / passed


def measure(rounds: int) -> Iterator[Row]:
    """Measure everything, one row after another."""
    for text in PLAIN:
        for features in (256, 1280):
            slow = text in ("fd", "gaussian-kl") and features > 256
            value = over_plain(text, features, max(3, rounds // 8) if slow else rounds)
            yield Row(f"ours / plain, {text}, {features:,} features", value, 1.0)
    for text, estimator in STEPS.items():
        value = step_over_bare(
            LITE,
            GENERATOR,
            max(3, rounds // 4),
            minimised=(text, estimator),
            now=time.process_time,
        )
        yield Row(f"step / bare, lite0, {text}", value, 1.1)


def main() -> None:
    """Print the table; exit 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument(
        "--record", action="store_true", help="write docs/results/bench-objectives.md"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory(torch.device("cpu"))
    floors = ", ".join(f"{floor(*row):.2f} ({row[0]})" for row in STEPS.items())
    least = (
        "A step whose loss took its matrix products, Cholesky factors and triangular solves alone, at "
        f"the speed of a product of large matrices, would be at {floors}. A product of a matrix of "
        "1,152 features with 64 samples is a third of its Cholesky factor, and both are needed at every "
        "step, since what is tracked moves."
    )
    text = (
        f"Value and gradient of each loss in {BATCH} samples, `plain` a transcription of its formula in "
        "torch; data statistics are made before. `bare` is the forward pass and the backward pass of "
        "the features with fixed cotangents, `step` a whole step of training in 64 samples. Times are "
        f"the processor's, of one thread. {least}"
    )
    rows = list(measure(arguments.rounds))
    report(rows, "bench-objectives", "Matching losses, as ratios", text, keep=arguments.record)


if __name__ == "__main__":
    main()
