"""A turn of the adversarial family as a ratio: `python tests/bench/adversarial.py`, one thread.

A critic's and a generator's step of the 32-px `biggan` pair in the real loop (hinge, Adam, weight
averaging, logging, data from memory) over the sum of their bare forward and backward passes: G without
gradient, the critic on both sides, back; G, the critic, back. Exit status 1 if the bound is missed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from ratios import Row, clock
from report import report

from gentk.checkpoint import Checkpoints
from gentk.data import ImageSet, MemoryPixels, Minibatches
from gentk.engine import Adversarial, Budget, Loop, Phase, WeightAverage
from gentk.engine.device import keep_memory
from gentk.engine.schedule import Schedule
from gentk.interfaces import Critic, Generator, ImageShape
from gentk.registry import Registry
from gentk.runs.optimizers import build_optimizer

IMAGE, BATCH, WIDTH = ImageShape(3, 32, 32), 64, 8


def pair() -> tuple[Generator, Critic, Registry]:
    """Build the pair as a run does, channels-last."""
    names = Registry()
    torch.manual_seed(0)
    generator = names.build("generator", f"biggan,latent=80,width={WIDTH}", image=IMAGE)[0]
    critic = names.build("critic", f"biggan,width={WIDTH}", image=IMAGE, latent=80)[0]
    for network in (generator, critic):
        network.to(memory_format=torch.channels_last)
    return generator, critic, names


def turn() -> Callable[[], None]:
    """Return a turn of the real loop."""
    generator, critic, names = pair()
    pixels = torch.randint(0, 256, (512, *IMAGE), dtype=torch.uint8)
    batches = Minibatches(ImageSet(MemoryPixels(pixels), name="noise"), BATCH, 0)
    game = Adversarial(generator, critic, names.build("loss", "hinge")[0], batches, batch=BATCH)
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


def bare() -> Callable[[], None]:
    """Return the networks' own passes, with fixed cotangents."""
    generator, critic, _ = pair()
    slope = torch.full((BATCH,), 1 / BATCH)
    x = torch.rand(BATCH, *IMAGE).contiguous(memory_format=torch.channels_last)

    def passes() -> None:
        with torch.no_grad():
            made = generator(generator.prior.draw(BATCH))
        critic.zero_grad(set_to_none=True)
        scores = [critic(side)["x"] for side in (x, made)]
        torch.autograd.backward(scores, [slope, slope])
        generator.zero_grad(set_to_none=True)
        for parameter in critic.parameters():
            parameter.requires_grad_(False)
        critic(generator(generator.prior.draw(BATCH)))["x"].backward(slope)
        for parameter in critic.parameters():
            parameter.requires_grad_(True)

    return passes


def measure(rounds: int) -> float:
    """Return the median of time(turn) / time(bare), five of each a round, in turn."""
    ours, theirs = turn(), bare()
    found = []
    for index in range(rounds + 1):
        one = clock(lambda: [ours() for _ in range(5)])
        other = clock(lambda: [theirs() for _ in range(5)])
        if index:
            found.append(one / other)
    return sorted(found)[len(found) // 2]


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
    name = f"critic + generator step / bare passes, biggan of width {WIDTH}, 32 px, batch {BATCH}"
    rows = [Row(name, measure(arguments.rounds), 1.08)]
    text = (
        "A turn of the real loop over the sum of the bare forward and backward passes of the pair, "
        "without encoder."
    )
    report(
        rows, "bench-adversarial", "Adversarial training, as a ratio", text, keep=arguments.record
    )


if __name__ == "__main__":
    main()
