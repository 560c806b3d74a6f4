"""Speed as ratios, measured side by side in one process (`make bench`).

Absolute times mean nothing on shared machines; each pair is run in turn, A B B A, and the median of the
pairwise ratios is printed beside its target. Exit status 1 if one is missed.
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from gentk.checkpoint import Checkpoints
from gentk.engine import (
    Budget,
    Discrepancy,
    Loop,
    Matching,
    Phase,
    Schedule,
    WeightAverage,
)
from gentk.engine.device import keep_memory
from gentk.feature_space import FeatureSpace
from gentk.interfaces import Extractor, Generator, ImageShape
from gentk.library import Library
from gentk.recipe import Recipe, resolve
from gentk.registry import Registry
from gentk.statistics import DataSide, summarise_stream
from gentk.summary import Samples

ROOT = Path(__file__).parent.parent.parent
BATCH = 64
COLOUR, GREY = ImageShape(3, 32, 32), ImageShape(1, 32, 32)
CHILD = "child-memory"
PLUGIN = """import gentk.spec as gentk

@gentk.hookimpl
def gentk_components():
    return [
        gentk.Component(
            kind="loss", name=f"theirs-{number}-{{part}}", target="{module}.loss:Loss", summary="a loss"
        )
        for part in range({parts})
    ]
"""


@dataclass
class Row:
    """One measured ratio and its bound."""

    name: str
    ratio: float
    bound: float
    at_least: bool = False

    @property
    def kept(self) -> bool:
        """Whether the bound holds."""
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound


def ratio(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    rounds: int,
    now: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the median over rounds of time(ours) / time(theirs), run in turn after a warm-up.

    The one that comes second finds in the caches what both read, so they take turns at that too.
    """
    ours()
    theirs()
    ratios = []
    for turn in range(rounds):
        if turn % 2:
            b, a = clock(theirs, now), clock(ours, now)
        else:
            a, b = clock(ours, now), clock(theirs, now)
        ratios.append(a / b)
    return statistics.median(ratios)


def clock(call: Callable[[], object], now: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds a call takes, by a clock of the wall or of the processor."""
    begin = now()
    call()
    return now() - begin


def parts(
    extractor: str, generator: str, image: ImageShape = COLOUR
) -> tuple[Generator, FeatureSpace, Registry]:
    """Build a generator and a feature space, both channels-last."""
    registry = Registry()
    torch.manual_seed(0)
    phi: Extractor = registry.build("extractor", extractor)[0]
    space = FeatureSpace({"phi": phi}, image.channels).to(memory_format=torch.channels_last)
    made: Generator = registry.build("generator", generator, image=image)[0]
    return made.to(memory_format=torch.channels_last), space, registry


def loop(
    generator: Generator,
    space: FeatureSpace,
    registry: Registry,
    minimised: tuple[str, str] = ("moments", "ama"),
    **options: int,
) -> Loop:
    """The real loop over the real parts: a loss and its estimator, Adam, weight averaging, logging."""
    loss, estimator = (
        registry.build(kind, text)[0]
        for kind, text in zip(("loss", "estimator"), minimised, strict=True)
    )
    images = torch.rand(128, *generator.image)
    with torch.no_grad():
        loss.prepare(space(images[: loss.preparation or 2], "unit"))
    data = summarise_stream(iter(images.split(64)), space, DataSide(loss, space))
    fresh = (lambda: data.take(torch.randint(128, (BATCH,)))) if isinstance(data, Samples) else None
    discrepancy = Discrepancy(loss, estimator, data, fresh=fresh)
    objective = Matching(generator, space, [discrepancy], **options)
    objective.start(discrepancy)
    optimizer = registry_adam(generator)
    optimizers = {"g": (optimizer, Schedule(optimizer))}
    phase = Phase("g", {"g": generator}, objective, BATCH, optimizers=optimizers)
    average = WeightAverage(generator, 0.98)
    return Loop([phase], Budget(10**9), {}, Checkpoints(None), average=average)  # type: ignore[arg-type]


def registry_adam(generator: Generator) -> torch.optim.Optimizer:
    """The optimiser as a run builds it."""
    from gentk.runs.optimizers import build_optimizer

    return build_optimizer("adam,lr=1e-4,betas=0.5+0.999", generator.parameters())


def bare_step(generator: Generator, space: FeatureSpace) -> Callable[[], None]:
    """Forward, and backward of the features with fixed cotangents."""
    features = space(generator(generator.prior.draw(BATCH)), generator.range)
    cotangents = [torch.randn_like(value) for value in features.values()]

    def step() -> None:
        generator.zero_grad(set_to_none=True)
        values = space(generator(generator.prior.draw(BATCH)), generator.range).values()
        torch.autograd.backward(list(values), cotangents)

    return step


def step_over_bare(
    extractor: str,
    generator: str,
    rounds: int,
    image: ImageShape = COLOUR,
    minimised: tuple[str, str] = ("moments", "ama"),
    now: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the time of a full training step over that of the bare passes."""
    made, space, registry = parts(extractor, generator, image)
    running = loop(made, space, registry, minimised, batch=BATCH)

    def step() -> None:
        running._turn()
        running._flush()

    return ratio(step, bare_step(made, space), rounds, now)


def released_step(extractor: str, generator: str) -> Callable[[], None]:
    """A plain transcription of the released algorithm, with its inefficiencies.

    NCHW, extractor weights that require gradients, features concatenated into one matrix, the two
    moving-average vectors as bias-free linear layers with Adam optimisers of their own.
    """
    made, space, _ = parts(extractor, generator)
    made.to(memory_format=torch.contiguous_format)
    phi = space.extractors[0].to(memory_format=torch.contiguous_format)
    phi.requires_grad_(True)
    with torch.no_grad():
        size = sum(value[0].numel() for value in phi(torch.rand(2, *COLOUR)).values())
    real = [torch.rand(size), torch.rand(size)]
    vectors = [nn.Linear(size, 1, bias=False) for _ in real]
    optimizers = [torch.optim.Adam(v.parameters(), lr=1e-5, betas=(0.5, 0.999)) for v in vectors]
    adam = torch.optim.Adam(made.parameters(), lr=5e-5, betas=(0.5, 0.999))

    def step() -> None:
        for module in (made, phi, *vectors):
            module.zero_grad()
        images = (made(torch.randn(BATCH, made.prior.dimension)) + 1) / 2
        features = torch.cat([value.reshape(BATCH, -1) for value in phi(images).values()], dim=1)
        fake = [features.mean(0), features.var(0)]
        for vector, optimizer, ours, theirs in zip(vectors, optimizers, real, fake, strict=True):
            gap = (ours - theirs).detach()
            nn.functional.mse_loss(vector.weight.squeeze(), gap).backward()
            optimizer.step()
        gaps: list[Tensor] = [ours - theirs for ours, theirs in zip(real, fake, strict=True)]
        sum(v(gap.unsqueeze(0)).sum() for v, gap in zip(vectors, gaps, strict=True)).backward()
        adam.step()

    return step


def released_over_ours(extractor: str, generator: str, rounds: int) -> float:
    """Return how many times faster a step is than the released algorithm's."""
    made, space, registry = parts(extractor, generator)
    return ratio(
        released_step(extractor, generator),
        loop(made, space, registry, batch=BATCH)._turn,
        rounds,
    )


def statistics_over_forward(extractor: str, rounds: int) -> float:
    """Return the time of a statistics pass over that of the forward passes alone."""
    _, space, registry = parts(extractor, "mlp")
    loss = registry.build("loss", "moments")[0]
    chunks = list(torch.rand(256, *COLOUR).split(64))

    @torch.no_grad()
    def forward() -> None:
        for chunk in chunks:
            space(chunk, "unit")

    return ratio(lambda: summarise_stream(iter(chunks), space, loss), forward, rounds)


def start_up(command: list[str], rounds: int) -> float:
    """Return the time of a command over that of importing what it stands on."""
    base = [sys.executable, "-c", "import click, pluggy, rich.table"]

    def call(arguments: list[str]) -> Callable[[], object]:
        return lambda: subprocess.run(arguments, capture_output=True, check=True)

    return ratio(call([sys.executable, "-m", "gentk", *command]), call(base), rounds)


def listing(distributions: int, parts: int, rounds: int) -> float:
    """Return the time of `gentk list` beside other people's plugins over that without them."""
    with tempfile.TemporaryDirectory() as place:
        for number in range(distributions):
            module = f"theirs_{number}"
            package, info = Path(place, module), Path(place, f"{module}-1.0.dist-info")
            package.mkdir()
            info.mkdir()
            source = PLUGIN.format(number=number, module=module, parts=parts)
            (package / "__init__.py").write_text(source, encoding="utf-8")
            head = f"Name: theirs-{number}\nVersion: 1.0\n\n"
            (info / "METADATA").write_text(head + 99 * "words of a readme\n")
            (info / "entry_points.txt").write_text(f"[gentk]\ntheirs-{number} = {module}\n")
        compileall.compile_dir(place, quiet=1)  # As pip does.

        def listed(environment: dict[str, str]) -> bytes:
            command = [sys.executable, "-m", "gentk", "list"]
            return subprocess.run(command, capture_output=True, check=True, env=environment).stdout

        here, there = {**os.environ, "PYTHONPATH": place}, dict(os.environ)
        assert listed(here).count(b"a loss") >= distributions * parts
        return ratio(lambda: listed(here), lambda: listed(there), rounds)


def memory(batch: int, chunk: int) -> int:
    """Return the peak memory of a process that takes one virtual step, in KiB."""
    command = [sys.executable, __file__, CHILD, str(batch), str(chunk)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def memory_child(batch: int, chunk: int) -> None:
    """Take a step and print this process's peak memory."""
    torch.set_num_threads(1)
    made, space, registry = parts("timm:tf_efficientnet_lite0,weights=none", "resnet,width=16")
    loop(made, space, registry, batch=batch, chunk=chunk)._turn()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def base() -> Recipe:
    """The recipe that runs where none is named."""
    name, table = Library([]).read("gfmn")
    return resolve(name, table, {}).recipe


def measure(rounds: int) -> list[Row]:
    """Measure everything."""
    lite, vgg = "timm:tf_efficientnet_lite0", "timm:vgg19,weights=none"
    small, large = base().generator, "resnet,width=64"
    few = max(3, rounds // 3)
    return [
        Row(
            "step / bare, lite0, gfmn's generator",
            step_over_bare(lite, small, rounds, GREY),
            1.1,
        ),
        Row("step / bare, lite0, 512-wide generator", step_over_bare(lite, large, rounds), 1.05),
        Row("step / bare, VGG19", step_over_bare(vgg, small, few), 1.05),
        Row("released / ours, lite0", released_over_ours(lite, small, rounds), 1.25, True),
        Row("released / ours, VGG19", released_over_ours(vgg, small, few), 1.25, True),
        Row("statistics pass / forward, lite0", statistics_over_forward(lite, rounds), 1.5),
        Row("statistics pass / forward, VGG19", statistics_over_forward(vgg, few), 1.1),
        Row("gentk --help / imports", start_up(["--help"], 3 * rounds), 1.5),
        Row("gentk list / imports", start_up(["list"], 3 * rounds), 2.0),
        Row("gentk list beside 300 foreign components / without", listing(30, 10, rounds), 1.3),
        Row("peak memory, B=8192,C=64 / B=64", memory(8192, 64) / memory(64, 64), 1.2),
    ]


def record(rows: list[Row]) -> None:
    """Write docs/results/bench.md."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    lines = [
        "# Speed, as ratios",
        "",
        "| measured | ratio | bound | kept |",
        "| --- | --- | --- | --- |",
    ]
    for row in rows:
        sign = ">=" if row.at_least else "<="
        kept = "yes" if row.kept else "**no**"
        lines.append(f"| {row.name} | {row.ratio:.3f} | {sign} {row.bound} | {kept} |")
    lines += [
        "",
        f"Made by `make bench ARGUMENTS=--record` on {datetime.now(UTC):%Y-%m-%d}, commit {commit}, "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads. `bare` is the forward pass and "
        "the backward pass of the features with fixed cotangents, same modules, channels-last; `step` "
        "adds statistics, `ama`, loss, Adam, weight averaging and logging; `released` is a plain "
        "transcription of GFMN's released algorithm.",
    ]
    (ROOT / "docs/results/bench.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Print the table; exit 1 if a bound is missed."""
    if sys.argv[1:2] == [CHILD]:
        memory_child(int(sys.argv[2]), int(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--record", action="store_true", help="write docs/results/bench.md")
    arguments = parser.parse_args()
    keep_memory(torch.device("cpu"))
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    table = Table("measured", "ratio", "bound", "kept")
    rows = measure(arguments.rounds)
    for row in rows:
        sign = ">=" if row.at_least else "<="
        table.add_row(row.name, f"{row.ratio:.3f}", f"{sign} {row.bound}", str(row.kept).lower())
    Console().print(table)
    if arguments.record:
        record(rows)
    sys.exit(0 if all(row.kept for row in rows) else 1)


if __name__ == "__main__":
    main()
