"""N processes beside one: `make results-world`, some minutes on one core.

Of every matching loss with every estimator, every game with every penalty, and of networks and
compositions that several processes could get wrong, the gradients of the first steps and the weights
after twenty, on two and four ranks, beside those of one process with the same chunks. Ranks are
simulated; a few cases are processes that torchrun starts. Writes `world.jsonl`, a row at a time, so that
it goes on where it stopped, and renders `world.md`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from world_cases import CAREFUL, KINKED, RATE, Case, cases

from gentk import journal
from gentk.engine import Schedule, World
from gentk.engine.world import acting_as
from gentk.errors import GentkError
from gentk.events import Progress
from gentk.families import Composition
from gentk.registry import Registry
from gentk.sweeps.row import commit
from gentk.testing.exactness import (
    BATCH,
    CHUNK,
    deviations,
    flat,
    gradients,
    moved,
    program_of,
)
from gentk.testing.likeness import difference
from gentk.testing.partner import with_partners

HERE = Path(__file__).parent
ROWS, PAGE = HERE / "world.jsonl", HERE / "world.md"
SIZES = (2, 4)
STEPS = 20
LOOKED_AT = 2
"""Steps whose gradients are compared."""

BOUNDS = {"gradient": 1e-6, "double": 1e-12, "weights": 1e-5}
"""What is measured -> the largest error that is aimed at."""


@dataclass(frozen=True)
class Row:
    """What came of a case.

    Attributes:
        group: As the case's.
        loss: As the case's.
        beside: As the case's.
        refused: Why it is refused; empty if it is not.
        gradient: Ranks -> the largest relative error of gradients and running means.
        double: The same where all is computed in float64.
        weights: The same of weights after twenty steps, in float32.
    """

    group: str
    loss: str
    beside: str
    refused: str = ""
    gradient: Mapping[str, float] = field(default_factory=dict)
    double: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """That of its case."""
        return self.group, self.loss, self.beside


def course(c: Composition, rate: float) -> dict[str, Tensor]:
    """Take twenty steps; return the first two gradients, and the weights at the end.

    Args:
        c: The composition.
        rate: The learning rate.

    Returns:
        `gradient/STEP/PHASE/NETWORK`, `.../buffers`, `weights/NETWORK` -> (n,).
    """
    values: dict[str, Tensor] = {}
    program = program_of(c)
    phases = []
    for phase in program.phases:
        parameters = [p for network in phase.modules.values() for p in network.parameters()]
        optimizer = torch.optim.SGD(parameters, rate)
        optimizers = {phase.name: (optimizer, Schedule(optimizer))}
        phases.append(replace(phase, optimizers=optimizers))
    for step in range(STEPS):
        for phase in phases:
            phase.step(Progress())
            if step < LOOKED_AT:
                own = moved(phase)
                values |= {f"gradient/{step + 1}/{name}": value for name, value in own.items()}
    for name, network in program.modules.items():
        values[f"weights/{name}"] = flat(network.parameters())
    return values


def worst(errors: Mapping[str, float], size: int) -> dict[str, dict[str, float]]:
    """Return the largest error of each thing that is measured, of so many ranks."""
    return {
        name: {str(size): max(value for key, value in errors.items() if key.startswith(name))}
        for name in ("gradient", "weights")
    }


@contextmanager
def doubled() -> Iterator[None]:
    """Have modules be given float64, and numbers drawn in it, while the block lasts."""

    def widen(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        wide = (isinstance(v, Tensor) and v.is_floating_point() for v in inputs)
        return tuple(v.double() if one else v for v, one in zip(inputs, wide, strict=True))

    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    hook = register_module_forward_pre_hook(widen)
    try:
        yield
    finally:
        hook.remove()
        torch.set_default_dtype(kept)


def double(c: Composition) -> dict[str, Tensor]:
    """Return the gradients of networks in float64; under `doubled`."""
    for network in (c.generator, c.encoder, c.critic, c.space):
        if network is not None:
            network.double()
    return gradients(c)


def measured(case: Case, registry: Registry) -> Row:
    """Measure a case on simulated ranks."""
    apart = partial(deviations, partial(case.compose, registry))
    rows = []
    try:
        for size in SIZES:
            errors = worst(apart(size, take=partial(course, rate=case.rate)), size)
            if case.group != "combination" and size == min(SIZES):
                with doubled():
                    wide = apart(size, take=double)
                errors["double"] = {str(size): max(wide.values())}
            rows.append(Row(*case.key, **errors))
    except GentkError as error:
        return Row(*case.key, refused=str(error))
    return merged(rows)


def merged(rows: Sequence[Row]) -> Row:
    """Return the row of a case on several numbers of ranks."""
    errors = {
        name: {k: v for row in rows for k, v in getattr(row, name).items()} for name in BOUNDS
    }
    return replace(rows[0], **errors)


LAUNCHED = (
    ("matching", "moments", "ama"),
    ("matching", "mmd", "queue"),
    ("contest", "fd", "batch"),
    ("game", "hinge", "gradient"),
    (
        "combination",
        "moments,covariance=none",
        "gradients of the critic's weights (learned moments)",
    ),
    ("combination", "reconstruction", "batch norm in encoder and generator"),
)
"""The cases that are measured on real processes too."""


def process() -> None:
    """Be one of several processes that torchrun has started: measure, and print rows if the first."""
    registry = with_partners(Registry())
    known = {case.key: case for case in cases(registry)}
    for key in LAUNCHED:
        with acting_as(World()), known[key].compose(registry) as c:
            alone = course(c, known[key].rate)
        with known[key].compose(registry) as c:
            ours = course(c, known[key].rate)
            everyone = c.world.tell(
                {name: difference(value, ours[name]) for name, value in alone.items()}
            )
        errors = {name: max(own[name] for own in everyone) for name in alone}
        if c.world.leads:
            row = Row("processes", key[1], key[2], **worst(errors, c.world.size))
            print(json.dumps(asdict(row)), flush=True)


def launched(size: int) -> list[Row]:
    """Measure on real processes."""
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)]
    done = subprocess.run(
        [sys.executable, *command, __file__, "--process"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return [Row(**json.loads(line)) for line in lines]


def read() -> tuple[dict[str, str], list[Row]]:
    """Return when and with what the rows were made, and the rows."""
    head, *rows = journal.read(ROWS)
    return head, [Row(**row) for row in rows]


def page(head: Mapping[str, str], rows: Sequence[Row]) -> str:
    """Return the page of rows."""
    lines = [
        "# N processes are one",
        "",
        "Gradients and running means of the first two steps of a run, and its weights after twenty of "
        "plain gradient descent, on N ranks beside one process with the same chunks: the largest over "
        f"networks and ranks of |v_N - v_1| / |v_1|. A batch is {BATCH} samples in chunks of at most "
        f"{CHUNK}: four chunks, of which two ranks replay two each, and four keep the graph of one "
        "each. Neither divides the batch. Networks are small, the data are noise. "
        f"The learning rate is {RATE:g}; {CAREFUL:g} in contests, where critics have no bound, and in "
        f"combinations; and {KINKED:g} in the auto-encoder with batch norms: at larger ones rounding in "
        "float32 moves units across their kinks, which weights show after twenty steps, and in float64 "
        "it does not.",
        "",
        "| measured | compositions | largest error | bound | kept |",
        "| --- | --- | --- | --- | --- |",
        *summary(rows),
    ]
    for group, title in TITLES.items():
        chosen = [row for row in rows if row.group == group and not row.refused]
        lines += ["", f"## {title}", "", *table(chosen)] if chosen else []
    lines += [
        "",
        "## Refused",
        "",
        "What takes no chunks takes no processes, and what does not fit one does not fit several.",
        "",
        "| loss | with | what it says |",
        "| --- | --- | --- |",
        *refusals(rows),
        "",
        f"Made by `make results-world` on {head['date']}, commit {head['commit']}, torch "
        f"{head['torch']}. Ranks are simulated, in one process, but for those of torchrun.",
    ]
    return "\n".join(lines) + "\n"


TITLES = {
    "matching": "Matching losses and estimators",
    "contest": "Matching losses on the features of the run's own critic",
    "game": "Games and penalties",
    "auto-encoding": "Auto-encoders",
    "combination": "Networks and combinations",
    "processes": "Processes of torchrun, by gloo",
}


def summary(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a line for each quantity."""
    named = {
        "gradient": "gradients and running means, float32",
        "double": "gradients and running means, float64",
        "weights": f"weights after {STEPS} steps, float32",
    }
    known = list(rows)
    for name, text in named.items():
        values = [max(getattr(row, name).values()) for row in known if getattr(row, name)]
        worst, bound = max(values), BOUNDS[name]
        kept = "yes" if worst <= bound else "**no**"
        yield f"| {text} | {len(values)} | {worst:.1e} | <= {bound:.0e} | {kept} |"


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of the table of a group."""
    columns = [
        (f"{text}, N = {size}", name, size)
        for name, text in (("gradient", "gradient"), ("double", "float64"), ("weights", "weights"))
        for size in map(str, SIZES)
        if any(size in getattr(row, name) for row in rows)
    ]
    lines = [
        "| loss | with | " + " | ".join(head for head, _, _ in columns) + " |",
        "| --- | --- |" + " --- |" * len(columns),
    ]
    for row in rows:
        cells = [_written(getattr(row, name).get(size)) for _, name, size in columns]
        lines.append(f"| {row.loss} | {row.beside} | " + " | ".join(cells) + " |")
    return lines


def refusals(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a line for what is refused in the same words."""
    lines: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.refused:
            loss = row.loss + (" on the critic's features" if row.group == "contest" else "")
            words = row.refused.replace(repr(row.beside), "NAME").replace("|", "\\|")
            lines.setdefault((loss, words), []).append(row.beside)
    for (loss, words), besides in lines.items():
        yield f"| {loss} | {', '.join(besides)} | {words} |"


def _written(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1e}" if value else "0"


def make(registry: Registry) -> None:
    """Measure what has no row yet, and keep each row when it is there."""
    if not ROWS.exists():
        head = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "torch": torch.__version__}
        journal.append(ROWS, [{**head, "commit": commit() or "unknown"}])
    known = {row.key for row in read()[1]}
    for case in cases(registry):
        if case.key not in known:
            journal.append(ROWS, [asdict(measured(case, registry))])
    wanted = {("processes", loss, beside) for _, loss, beside in LAUNCHED}
    if not wanted <= known:
        both = zip(*(launched(size) for size in SIZES), strict=True)
        journal.append(ROWS, [asdict(merged(pair)) for pair in both])


def main() -> None:
    """Measure, keep, render; exit 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--process", action="store_true", help="be one of torchrun's processes")
    parser.add_argument("--render", action="store_true", help="only write the page of the rows")
    parser.add_argument(
        "--only", default="", help="print the rows with this text in them, keep none"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.process:
        process()
        return
    registry = with_partners(Registry())
    if arguments.only:
        for case in (case for case in cases(registry) if arguments.only in " ".join(case.key)):
            print(json.dumps(asdict(measured(case, registry))), flush=True)
        return
    if not arguments.render:
        make(registry)
    text = page(*read())
    PAGE.write_text(text, encoding="utf-8")
    sys.exit("**no**" in text)


if __name__ == "__main__":
    main()
