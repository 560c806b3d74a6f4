"""A turn of the adversarial family as a ratio: `python tests/bench/adversarial.py`, one thread.

A critic's and a generator's step in the real loop (Adam, weight averaging, logging, data from memory)
over the sum of their bare forward and backward passes: G without gradient, the critic on both sides,
back; G, the critic, back. Of a gradient penalty the pass on interpolates and its double backward are
bare passes too; of a contest, in the generator's step, the critic on the data. Exit status 1 if a bound
is missed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch
from ratios import Row, clock
from report import report
from torch import Tensor

from gentk.checkpoint import Checkpoints
from gentk.data import ImageSet, MemoryPixels, Minibatches
from gentk.engine import (
    Adversarial,
    Budget,
    Contest,
    Discrepancy,
    Loop,
    Phase,
    WeightAverage,
)
from gentk.engine.device import keep_memory
from gentk.engine.schedule import Schedule
from gentk.feature_space import FeatureSpace
from gentk.interfaces import Critic, Generator, ImageShape
from gentk.registry import Registry
from gentk.runs.optimizers import build_optimizer

IMAGE, BATCH = ImageShape(3, 32, 32), 64


@dataclass(frozen=True)
class Bout:
    """A pair and what it plays for.

    Attributes:
        name: What the row is called.
        generator: As it is typed.
        critic: As it is typed.
        bound: The largest ratio.
        game: An adversarial loss, as it is typed; None for none.
        matched: A matching loss on the critic's features; None for none.
        penalty: Of the critic's steps; None for none.
    """

    name: str
    generator: str
    critic: str
    bound: float
    game: str | None = None
    matched: str | None = None
    penalty: str | None = None


CNN = ("sngan-cnn,width=32", "sngan-cnn,width=32")
BOUTS = (
    Bout("biggan of width 8, hinge", "biggan,latent=80,width=8", "biggan,width=8", 1.08, "hinge"),
    Bout("sn-gan: CNNs of width 32, hinge", *CNN, 1.08, "hinge"),
    Bout(
        "wgan-gp: the same without spectral norm",
        CNN[0],
        f"{CNN[1]},spectral=false",
        1.08,
        "wasserstein",
        penalty="gradient",
    ),
    Bout("contest of mmd on critic features, the same CNNs", *CNN, 1.10, matched="mmd"),
)


def pair(bout: Bout, names: Registry) -> tuple[Generator, Critic]:
    """Build the pair as a run does, channels-last."""
    torch.manual_seed(0)
    generator = names.build("generator", bout.generator, image=IMAGE)[0]
    latent = generator.prior.dimension
    critic = names.build("critic", bout.critic, image=IMAGE, latent=latent)[0]
    for network in (generator, critic):
        network.to(memory_format=torch.channels_last)
    return generator, critic


def turn(bout: Bout, names: Registry, batches: Minibatches | None = None) -> Callable[[], None]:
    """Return a turn of the real loop, on noise in memory if there are no other batches."""
    generator, critic = pair(bout, names)
    pixels = torch.randint(0, 256, (512, *IMAGE), dtype=torch.uint8)
    batches = batches or Minibatches(ImageSet(MemoryPixels(pixels), name="noise"), BATCH, 0)
    contests = {}
    if bout.matched is not None:
        space = FeatureSpace({"critic": names.build("extractor", "critic")[0]}, IMAGE.channels)
        parts = [
            Discrepancy(
                names.build("loss", bout.matched)[0], names.build("estimator", "batch")[0], None
            )
        ]
        contests = {
            "critic": Contest(space, parts, raised=True),
            "generator": Contest(space, parts),
        }
    game = Adversarial(
        generator,
        critic,
        None if bout.game is None else names.build("loss", bout.game)[0],
        batches,
        batch=BATCH,
        contests=contests,
        penalties={"critic": {"p": names.build("penalty", bout.penalty)[0]}}
        if bout.penalty
        else {},
    )
    phases = []
    for name, network, step, images in (
        ("critic", critic, game.critic_step, 0),
        ("generator", generator, game.generator_step, BATCH),
    ):
        optimizer = build_optimizer("adam,lr=2e-4,betas=0.0+0.999", network.parameters())
        schedules = {name: (optimizer, Schedule(optimizer))}
        phases.append(Phase(name, {name: network}, step, images, optimizers=schedules))
    average = WeightAverage(generator, 0.99)
    loop = Loop(phases, Budget(10**9), {}, Checkpoints(None), average=average)  # type: ignore[arg-type]

    def whole() -> None:
        loop._turn()
        loop._flush()

    return whole


def bare(bout: Bout, names: Registry) -> Callable[[], None]:
    """Return the networks' own passes, with fixed cotangents."""
    generator, critic = pair(bout, names)
    x = torch.rand(BATCH, *IMAGE).contiguous(memory_format=torch.channels_last)

    def judged(images: Tensor) -> Tensor:
        scores, features = critic.judge(images)
        return scores["x"] if bout.matched is None else torch.cat(list(features.values()), dim=1)

    def penalise(made: Tensor) -> Tensor:
        points = ((x + made) / 2).requires_grad_()
        slopes = torch.autograd.grad(judged(points).sum(), points, create_graph=True)[0]
        return slopes.square().sum()

    def passes() -> None:
        with torch.no_grad():
            made = generator(generator.prior.draw(BATCH))
        critic.zero_grad(set_to_none=True)
        values = [judged(side) for side in (x, made)]
        slopes: list[Tensor | None] = [torch.full_like(value, 1 / BATCH) for value in values]
        if bout.penalty is not None:
            values, slopes = [*values, penalise(made)], [*slopes, None]
        torch.autograd.backward(values, slopes)
        generator.zero_grad(set_to_none=True)
        critic.requires_grad_(False)
        if bout.matched is not None:
            judged(x)
        value = judged(generator(generator.prior.draw(BATCH)))
        value.backward(torch.full_like(value, 1 / BATCH))
        critic.requires_grad_(True)

    return passes


def measure(bout: Bout, names: Registry, rounds: int) -> float:
    """Return the median of time(turn) / time(bare), three of each a round, in turn."""
    ours, theirs = turn(bout, names), bare(bout, names)
    ratios = []
    for index in range(rounds + 1):
        one = clock(lambda: [ours() for _ in range(3)])
        other = clock(lambda: [theirs() for _ in range(3)])
        if index:
            ratios.append(one / other)
    return sorted(ratios)[len(ratios) // 2]


def main() -> None:
    """Print the table; exit 1 if the bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--record", action="store_true", help="write docs/results/bench-adversarial.md"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory(torch.device("cpu"))
    names = Registry()
    rows = [
        Row(
            f"critic + generator step / bare passes, {bout.name}, 32 px, batch {BATCH}",
            measure(bout, names, arguments.rounds),
            bout.bound,
        )
        for bout in BOUTS
    ]
    text = (
        "A turn of the real loop over the sum of the bare forward and backward passes of the pair, "
        "without encoder."
    )
    report(
        rows, "bench-adversarial", "Adversarial training, as a ratio", text, keep=arguments.record
    )


if __name__ == "__main__":
    main()
