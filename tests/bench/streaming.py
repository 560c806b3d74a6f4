"""Data 20 times larger than memory= as ratios: `python tests/bench/streaming.py`, one thread.

A turn of a GAN in the real loop whose images are decoded ahead from a parquet file, over the same turn
with the images in memory; and the memory of a process over two epochs of such turns. Exit status 1 if a
bound is missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from adversarial import BATCH, BOUTS, IMAGE, Bout, turn
from PIL import Image
from ratios import Row, clock
from report import report

from gentk.builtin.sources.parquet import Parquet
from gentk.data import ImageSet, Minibatches, View, open_images
from gentk.engine.device import keep_memory
from gentk.registry import Registry

CHILD = "child-memory"
COUNT, TIMES = 6_400, 20
BOUND = COUNT * IMAGE.channels * IMAGE.height * IMAGE.width // TIMES
TURNS = 8
"""Turns that are timed at a time; as many batches as may wait are used up before."""

QUICK = Bout("mlps of width 64", "mlp,widths=64", "mlp,widths=64", 0.0, "hinge")
"""What memory is measured by: many steps in little time."""


def write(path: Path) -> None:
    """Write smooth colour pictures as PNG, in row groups of 1,000."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(COUNT):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        file = BytesIO()
        coarse.resize((IMAGE.width, IMAGE.height), Image.Resampling.BICUBIC).save(file, "PNG")
        rows.append(file.getvalue())
    pq.write_table(pa.table({"image": rows}), path, row_group_size=1000)


def opened(path: Path, *, streamed: bool) -> ImageSet:
    """Return the images, in memory or not."""
    return open_images(Parquet(path), "bench", View(memory=f"{BOUND}B") if streamed else View())


def game(bout: Bout, path: Path, *, streamed: bool) -> Callable[[], None]:
    """Return a turn on the images."""
    return turn(bout, Registry(), Minibatches(opened(path, streamed=streamed), BATCH, 0))


def rate(path: Path, rounds: int) -> tuple[float, float]:
    """Return the medians of streamed / in memory, in turn: of the time, and of the processor's."""
    plays = [game(BOUTS[1], path, streamed=streamed) for streamed in (True, False)]
    waiting = BOUND // (2 * BATCH * IMAGE.channels * IMAGE.height * IMAGE.width) + 1

    def turns(play: Callable[[], None], count: int) -> None:
        for _ in range(count):
            play()

    ratios = []
    for play in plays:
        turns(play, 2)
    for _ in range(rounds):
        seconds, processor = [], []
        for play in plays:
            turns(play, waiting)
            begin = time.process_time()
            seconds.append(clock(lambda play=play: turns(play, TURNS)))  # type: ignore[misc]
            processor.append(time.process_time() - begin)
        ratios.append((seconds[0] / seconds[1], processor[0] / processor[1]))
    wall, own = (statistics.median(column) for column in zip(*ratios, strict=True))
    return wall, own


def memory(path: Path) -> tuple[float, float, float]:
    """Return the memory of a process, in MiB: after a tenth of an epoch, after one, at most of two."""
    command = [sys.executable, __file__, CHILD, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, middle, most = map(float, done.stdout.split())
    return first, middle, most


def memory_child(path: Path) -> None:
    """Take two epochs of turns, which draw two batches each, and print this process's memory."""
    torch.set_num_threads(1)
    keep_memory(torch.device("cpu"))
    play, seen = game(QUICK, path, streamed=True), []
    for _ in range(2 * COUNT // (2 * BATCH)):
        play()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        seen.append(pages * resource.getpagesize() / 2**20)
    print(seen[len(seen) // 20], seen[len(seen) // 2], max(seen))


def main() -> None:
    """Measure, print, and exit with 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--record", action="store_true", help="write docs/results/bench-streaming.md"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory(torch.device("cpu"))
    with TemporaryDirectory() as folder:
        os.environ["GENTK_CACHE"] = str(Path(folder, "cache"))
        path = Path(folder, "a.parquet")
        write(path)
        load = os.getloadavg()[0]
        wall, own = rate(path, arguments.rounds)
        rows = [
            Row("processor time of a turn of sn-gan, streamed / in memory", own, 1.10),
            Row("time of that turn, streamed / in memory", wall, 1.10),
        ]
        first, middle, most = memory(path)
        rows.append(Row("memory, most of two epochs / after a tenth of one", most / first, 1.05))
    text = (
        f"{COUNT:,} PNG of 32 x 32 pixels in parquet, {COUNT * 3072 / 1e6:.0f} MB decoded, "
        f"memory={BOUND / 1e6:.1f}MB, which is a {TIMES}th; turns draw two batches of {BATCH} and are "
        f"taken in turn, {TURNS} at a time. Memory of the process (MLPs, two epochs): {first:.0f} MiB "
        f"after a tenth of an epoch, {middle:.0f} after one epoch, {most:.0f} at most. On "
        f"{os.cpu_count()} cores, with a load of {load:.1f} by other processes when it began: times "
        f"mean little where that is above the number of cores, processor times do."
    )
    report(
        rows,
        "bench-streaming",
        "Data 20 times larger than memory, as ratios",
        text,
        keep=arguments.record,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        memory_child(Path(sys.argv[2]))
    else:
        main()
