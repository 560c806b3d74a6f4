"""MMD as ratios: `python tests/bench/mmd.py`, one thread, value and gradient in x, 784 features.

Against plain autograd code on `torch.cdist`, and against geomloss (tensorized) where it is installed.
Their matrices of 16,000 x 16,000 do not fit beside each other in 16 GB: they meet at 8,000 at most.
Exit status 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from ratios import Row, clock, ratio
from report import report
from torch import Tensor

from gentk.engine.device import keep_memory
from gentk_mmd.discrepancy import mmd2
from gentk_mmd.kernels import BANDWIDTHS, Gaussian

FEATURES = 784
CHILD = "child-memory"
WIDTH = 20.0
LARGEST = 8000
"""Samples a side: plain code holds some ten matrices of them, 2.5 GB."""


def sides(count: int) -> tuple[Tensor, Tensor]:
    """Return two sets of samples; the first wants a gradient."""
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(count, FEATURES, generator=draw).requires_grad_()
    return x, torch.rand(count, FEATURES, generator=draw)


def ours(x: Tensor, y: Tensor, bandwidths: tuple[float, ...]) -> Tensor:
    """Value and gradient by the package."""
    return torch.autograd.grad(mmd2(x, y, Gaussian(bandwidths, "gmmn")), x)[0]


def plain(x: Tensor, y: Tensor, bandwidths: tuple[float, ...]) -> Tensor:
    """Value and gradient as the formula is typed."""

    def mean(a: Tensor, b: Tensor) -> Tensor:
        t = torch.cdist(a, b) ** 2
        return torch.stack([torch.exp(-t / (2 * s)).mean() for s in bandwidths]).sum()

    return torch.autograd.grad(mean(x, x) + mean(y, y) - 2 * mean(x, y), x)[0]


def geomloss(x: Tensor, y: Tensor, bandwidths: tuple[float, ...]) -> Tensor:
    """Value and gradient by geomloss, one Gaussian: half of MMD^2."""
    from geomloss import SamplesLoss

    loss = SamplesLoss("gaussian", blur=bandwidths[0] ** 0.5, backend="tensorized")
    return torch.autograd.grad(2 * loss(x, y), x)[0]


def over(
    other: Callable[[Tensor, Tensor, tuple[float, ...]], Tensor],
    count: int,
    bandwidths: tuple[float, ...],
    rounds: int,
) -> float:
    """Return the time of ours over that of another, after both agreed."""
    x, y = sides(count)
    torch.testing.assert_close(
        ours(x, y, bandwidths), other(x, y, bandwidths), rtol=1e-2, atol=1e-9
    )
    return ratio(lambda: ours(x, y, bandwidths), lambda: other(x, y, bandwidths), rounds)


def growth(rounds: int) -> float:
    """Return the time at 16,000 samples over sixteen times that at 4,000."""
    small, large = sides(4000), sides(16000)
    ours(*small, (WIDTH,))
    times = [
        clock(lambda: ours(*large, (WIDTH,))) / clock(lambda: ours(*small, (WIDTH,)))
        for _ in range(rounds)
    ]
    return sorted(times)[len(times) // 2] / 16


def memory(count: int) -> int:
    """Return what a process needs at its peak beyond importing, in KiB."""
    command = [sys.executable, __file__, CHILD, str(count)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def memory_child(count: int) -> None:
    """Compute once and print the growth of this process's peak memory."""
    torch.set_num_threads(1)
    ours(*sides(64), (WIDTH,))
    before = peak()
    ours(*sides(count), (WIDTH,))
    print(peak() - before)


def peak() -> int:
    """Return this process's peak memory in KiB.

    Linux only: `ru_maxrss` would begin with the peak of the process that started this one.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])


def measure(rounds: int) -> Iterator[Row]:
    """Measure everything, one row after another."""
    few = max(2, rounds // 4)
    one = (WIDTH,)
    yield Row("peak memory, N=16000 / 4 x N=4000", memory(16000) / memory(4000) / 4, 1.0)
    yield Row("ours / plain, N=1000", over(plain, 1000, one, 3 * rounds), 1.0)
    yield Row("ours / plain, N=4000", over(plain, 4000, one, few), 0.9)
    yield Row("ours / plain, six kernels, N=4000", over(plain, 4000, BANDWIDTHS, few), 0.9)
    yield Row(f"ours / plain, N={LARGEST}", over(plain, LARGEST, one, 2), 0.9)
    if importlib.util.find_spec("geomloss"):
        yield Row("ours / geomloss, N=1000", over(geomloss, 1000, one, 3 * rounds), 1.0)
        yield Row("ours / geomloss, N=4000", over(geomloss, 4000, one, few), 0.9)
        yield Row(f"ours / geomloss, N={LARGEST}", over(geomloss, LARGEST, one, 2), 0.9)
    yield Row("time at N=16000 / 16 x at N=4000", growth(1), 1.2)


def main() -> None:
    """Print the table; exit 1 if a bound is missed."""
    if sys.argv[1:2] == [CHILD]:
        memory_child(int(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--record", action="store_true", help="write docs/results/bench-mmd.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory(torch.device("cpu"))
    text = (
        "Value and gradient of MMD^2 in 784 features, one Gaussian kernel unless it says six; `plain` "
        "is autograd code on `torch.cdist`, geomloss its tensorized backend."
    )
    rows = list(measure(arguments.rounds))
    report(rows, "bench-mmd", "Kernel MMD, as ratios", text, keep=arguments.record)


if __name__ == "__main__":
    main()
