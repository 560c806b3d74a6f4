"""Two processes of one thread beside one process: `python tests/bench/processes.py`, two idle cores.

Steps of the recipe gfmn in the loop, in processes that wait for their turn without computing: one of
one thread, one of two threads, two that have one chunk each, and two that replay one of two chunks each.
What is measured are ratios of rates, and bytes that a process sends in a step beside those it cannot do
without: its gradient and the sums of its chunks. Exit status 1 if a bound is missed.

What two processes can reach is measured beside them: one that has half of the batch, whole and in
chunks; two of those side by side that know nothing of each other; and of the time that a step of two
spends on exchanges what is the exchange, and in what one waits for the other to come.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CHILD = "child"
BATCH = 64
STEPS = 6
"""Steps that are timed at once."""


@dataclass(frozen=True)
class Side:
    """What takes steps.

    Attributes:
        processes: How many.
        threads: Of each.
        chunk: Samples a graph; None for the whole batch.
        batch: Samples a step.
    """

    processes: int
    threads: int
    chunk: int | None = None
    batch: int = BATCH


SIDES = {
    "one": Side(1, 1),
    "half": Side(1, 1, batch=BATCH // 2),
    "half in chunks": Side(1, 1, BATCH // 4, BATCH // 2),
    "threads": Side(1, 2),
    "two": Side(2, 1, BATCH // 2),
    "replaying": Side(2, 1, BATCH // 4),
}


def child(folder: str, chunk: str, batch: str) -> None:
    """Compose the recipe gfmn, and take steps whenever a line comes in, and say what they took."""
    from gentk.launch import settle

    settle()
    import torch

    from gentk.engine.device import keep_memory
    from gentk.families.learned import family_for
    from gentk.interrupts import Request
    from gentk.runs.composing import compose
    from gentk.runs.folder import RunFolder
    from gentk.runs.training import _loop

    keep_memory(torch.device("cpu"))
    cut = {} if chunk == "None" else {"chunk": int(chunk)}
    c = compose(out=folder, device="cpu", steps=10**9, batch=int(batch), **cut)
    link = Counted(c.world.link)
    if c.world.link is not None:
        c = replace(c, world=replace(c.world, link=link))
    program = family_for(c.recipe, c.losses, c.registry)[0].program(c, None)
    loop = _loop(c, program, RunFolder(Path(folder)), [])
    parameters = sum(p.numel() * p.element_size() for p in c.generator.parameters())

    def advance(steps: int) -> None:
        for _ in range(steps):
            loop._goes_on(Request())
            loop._turn()
        loop._flush()

    advance(2)
    for line in sys.stdin:
        link.sent = link.sums = 0
        link.calls.clear()
        begin = time.perf_counter()
        advance(int(line))
        seconds = time.perf_counter() - begin
        sent, needed = link.sent / int(line), link.sums / int(line) + parameters
        row = {"seconds": seconds, "sent": sent, "needed": needed, "calls": link.calls}
        print(json.dumps(row), flush=True)


class Counted:
    """A link that counts the bytes this process gives it, and the time until it answers.

    Attributes:
        sent: Of everything.
        sums: Of the summaries of chunks.
        calls: Seconds of each exchange.
    """

    def __init__(self, link: Any) -> None:
        self.link = link
        self.sent = self.sums = 0
        self.calls: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.link, name)

    def add(self, flat: Any) -> None:
        self.sent += flat.numel() * flat.element_size()
        with self._timed():
            self.link.add(flat)

    def collect(self, flat: Any) -> Any:
        self.sums += flat.numel() * flat.element_size()
        self.sent += flat.numel() * flat.element_size()
        with self._timed():
            return self.link.collect(flat)

    def count(self, numbers: Sequence[float]) -> Any:
        self.sent += 8 * len(numbers)
        with self._timed():
            return self.link.count(numbers)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.calls.append(time.perf_counter() - begin)


@dataclass(frozen=True)
class Answer:
    """What a process says of the steps it took.

    Attributes:
        seconds: All of them took.
        sent: Bytes it gave to others, a step.
        needed: Those it could not do without.
        calls: Seconds of each exchange.
    """

    seconds: float
    sent: float
    needed: float
    calls: list[float]


@contextmanager
def waiting(side: Side, place: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Start the processes of a side, which wait for a line."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(side.processes):
        ranks = {"RANK": rank, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        ranks |= {"WORLD_SIZE": side.processes, "LOCAL_WORLD_SIZE": side.processes}
        threads = {"OMP_NUM_THREADS": str(side.threads)}
        own = {key: str(value) for key, value in ranks.items()} if side.processes > 1 else {}
        processes.append(
            subprocess.Popen(
                [
                    *(sys.executable, __file__, CHILD, str(place / f"run-{side.batch}")),
                    *(str(side.chunk), str(side.batch)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **threads, **own, "GENTK_CACHE": str(place / "cache")},
            )
        )
    try:
        yield processes
    finally:
        for process in processes:
            process.communicate()


def take(processes: Sequence[subprocess.Popen[str]]) -> list[Answer]:
    """Have processes take their steps at the same time, and return what each says."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{STEPS}\n")
        process.stdin.flush()
    answers = []
    for process in processes:
        assert process.stdout is not None
        answers.append(Answer(**json.loads(process.stdout.readline())))
    return answers


def measure(rounds: int) -> dict[str, list[list[Answer]]]:
    """Return what the processes of each side say, sides one after another in every round."""
    rows: dict[str, list[list[Answer]]] = {name: [] for name in (*SIDES, "halves")}
    with TemporaryDirectory() as place, ExitStack() as stack:
        sides = {}
        for name, side in SIDES.items():
            sides[name] = stack.enter_context(waiting(side, Path(place)))
            take(sides[name])
        other = stack.enter_context(waiting(SIDES["half"], Path(place)))
        take(other)
        sides["halves"] = [*sides["half"], *other]
        for _ in range(rounds):
            for name, processes in sides.items():
                rows[name].append(take(processes))
    return rows


def exchanged(answers: Sequence[Answer]) -> tuple[float, float]:
    """Return the milliseconds of a step that exchanges take, and those that a process waits besides.

    Who comes to an exchange last waits for nobody: the shorter of the times is the exchange.
    """
    calls = list(zip(*(answer.calls for answer in answers), strict=True))
    alone = sum(min(call) for call in calls)
    spent = statistics.mean(sum(answer.calls) for answer in answers)
    return 1e3 * alone / STEPS, 1e3 * (spent - alone) / STEPS


def main() -> None:
    """Print the table; exit 1 if a bound is missed."""
    if sys.argv[1:2] == [CHILD]:
        child(*sys.argv[2:])
        return
    import torch
    from ratios import Row
    from report import report

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--record", action="store_true", help="write docs/results/bench-processes.md"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    rows = measure(arguments.rounds)

    def seconds(name: str) -> list[float]:
        return [max(answer.seconds for answer in own) for own in rows[name]]

    def faster(one: str, other: str) -> float:
        pairs = zip(seconds(one), seconds(other), strict=True)
        return statistics.median(b / a for a, b in pairs)

    def spent(name: str) -> str:
        pairs = zip(*(exchanged(own) for own in rows[name]), strict=True)
        exchange, besides = map(statistics.median, pairs)
        step = 1e3 * statistics.median(seconds(name)) / STEPS
        return f"{exchange:.1f} and {besides:.1f} ms of the {step:.0f} ms"

    sent, needed = rows["two"][-1][0].sent, rows["two"][-1][0].needed
    table = [
        Row(
            "two processes, one chunk each / one process of one thread",
            faster("two", "one"),
            1.8,
            True,
        ),
        Row("two processes, two chunks each / the same", faster("replaying", "one"), 1.4, True),
        Row(
            "two processes, one chunk each / one of two threads",
            faster("two", "threads"),
            1.0,
            True,
        ),
        Row("bytes sent / those of gradient and sums", sent / needed, 1.05),
    ]
    rates = ", ".join(f"{name} {STEPS / statistics.median(seconds(name)):.2f}" for name in rows)
    text = (
        f"Rates of the recipe gfmn's steps, batch {BATCH}; a process sends {sent / 2**20:.2f} MiB a "
        f"step. Steps a second: {rates}. The load of the machine's {os.cpu_count()} cores before was "
        f"{load:.1f}: ratios of rates hold on an idle machine only.\n\n"
        f"What keeps them from more. Half of the batch takes one process 1 / "
        f"{faster('half', 'one'):.2f} "
        "of a step's time: the rest is not of samples (every pass brings the weights of convolutions "
        "into the order of its kernels, those of frozen extractors too; statistics of features, "
        "optimisers and averages are made by every process). Two processes with half of the batch each, "
        "side by side and without a word to each other, take "
        f"1 / {faster('halves', 'one'):.2f}: cores share caches and memory. Half of the batch in two "
        f"chunks takes one process 1 / {faster('half in chunks', 'one'):.2f}: one of them goes through "
        "the networks twice, and what is not of samples is there for each pass. More than these no two "
        "processes reach. Exchanges, and waiting for the other process to come to them, take "
        f"{spent('two')} of a step with one chunk each, "
        f"{spent('replaying')} with two."
    )
    report(table, "bench-processes", "Several processes, as ratios", text, keep=arguments.record)


if __name__ == "__main__":
    main()
