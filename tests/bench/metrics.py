"""Metrics as ratios: `python tests/bench/metrics.py`, one thread, 10,000 against 10,000 features.

The figures of `fd` and `kid` from float32 features, against torch-fidelity's functions and torchmetrics'
classes on the same ones, same run: time in turn, and the growth of a process's peak memory. What gentk
evaluates comes in chunks of 64, and so it does here; the others are given all at once.
Exit status 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import operator
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from ratios import Row, clock
from report import report
from torch import Tensor, nn

from gentk.engine.device import keep_memory
from gentk.interfaces import Metric
from gentk.registry import Registry
from gentk.statistics import CHUNK
from gentk.summary import Samples, Summary

COUNT = 10_000
SIZES = (1280, 2048)
CHILD = "child-memory"
PACKAGES = {"torch-fidelity": "torch_fidelity", "torchmetrics": "torchmetrics"}

MetricValue = Callable[[Tensor, Tensor], float]


def features(size: int, count: int = COUNT) -> tuple[Tensor, Tensor]:
    """Return features of two sets: correlated and positive, as activations are."""
    draw = torch.Generator().manual_seed(0)
    mix = torch.randn(size, size, generator=draw) / size**0.5
    sides = [torch.randn(count, size, generator=draw) @ mix for _ in range(2)]
    return sides[0].relu_(), sides[1].mul_(1.1).add_(0.05).relu_()


def summary(metric: Metric, rows: Tensor) -> Summary:
    """Summarise rows chunk by chunk, as a pass over images does; samples are what they are."""
    if issubclass(metric.summary, Samples):
        return metric.summarise({"x": rows})
    first = metric.summarise({"x": rows[:CHUNK]})
    rest = (metric.summarise({"x": part}, first) for part in rows[CHUNK:].split(CHUNK))
    return functools.reduce(operator.add, rest, first).settled()


def ours(text: str) -> MetricValue:
    """Return gentk's figure."""
    metric: Metric = Registry().build("metric", text)[0]

    def call(x: Tensor, y: Tensor) -> float:
        return metric.values(summary(metric, x), summary(metric, y))[0].value

    return call


def fidelity_fd(x: Tensor, y: Tensor) -> float:
    """Return torch-fidelity's FID of features."""
    from torch_fidelity import metric_fid

    sides = [metric_fid.fid_features_to_statistics(side) for side in (x, y)]
    found = metric_fid.fid_statistics_to_metric(*sides, verbose=False)
    return float(found["frechet_inception_distance"])


def fidelity_kid(x: Tensor, y: Tensor) -> float:
    """Return torch-fidelity's KID of features: 100 subsets of 1,000."""
    from torch_fidelity import metric_kid

    found = metric_kid.kid_features_to_metric(x, y, verbose=False)
    return float(found["kernel_inception_distance_mean"])


class Same(nn.Module):
    """A network whose features are its input."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.num_features = size

    def forward(self, rows: Tensor) -> Tensor:
        """Return the rows."""
        return rows


def torchmetrics_fd(x: Tensor, y: Tensor) -> float:
    """Return torchmetrics' FID of features."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(Same(x.shape[1]))
    metric.update(x, real=True)
    metric.update(y, real=False)
    return float(metric.compute())


def torchmetrics_kid(x: Tensor, y: Tensor) -> float:
    """Return torchmetrics' KID of features: 100 subsets of 1,000."""
    from torchmetrics.image.kid import KernelInceptionDistance

    metric = KernelInceptionDistance(Same(x.shape[1]), subsets=100, subset_size=1000)
    metric.update(x, real=True)
    metric.update(y, real=False)
    return float(metric.compute()[0])


THEIRS: dict[tuple[str, str], MetricValue] = {
    ("fd", "torch-fidelity"): fidelity_fd,
    ("fd", "torchmetrics"): torchmetrics_fd,
    ("kid", "torch-fidelity"): fidelity_kid,
    ("kid", "torchmetrics"): torchmetrics_kid,
}


def figure(name: str) -> MetricValue:
    """Return a figure by the name a child process is given."""
    metric, _, package = name.partition("@")
    return THEIRS[metric, package] if package else ours(metric)


def memory(name: str, size: int) -> int:
    """Return what a process needs at its peak beyond its imports and the features, in KiB."""
    command = [sys.executable, __file__, CHILD, name, str(size)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def memory_child(name: str, size: int) -> None:
    """Compute once and print the growth of this process's peak memory."""
    torch.set_num_threads(1)
    call = figure(name)
    call(*features(32, 2000))
    sides = features(size)
    # The peak of making the features is forgotten.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = peak()
    call(*sides)
    print(peak() - before)


def peak() -> int:
    """Return this process's peak memory in KiB (Linux only)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])


def measure(rounds: int) -> Iterator[Row]:
    """Measure everything, one row after another; the bound is to the faster (the leaner) of others."""
    others = [name for name, module in PACKAGES.items() if importlib.util.find_spec(module)]
    for size in SIZES:
        x, y = features(size)
        for metric, text in (("fd", "fd,interval=false"), ("fd", "fd"), ("kid", "kid")):
            mine = ours(text)
            times: dict[str, list[float]] = {}
            label = "fd with its error" if text == "fd" else text
            for turn in range(rounds + (metric == "kid")):
                del turn
                times.setdefault("gentk", []).append(clock(lambda m=mine, a=x, b=y: m(a, b)))
                for name in others:
                    call = THEIRS[metric, name]
                    times.setdefault(name, []).append(clock(lambda c=call, a=x, b=y: c(a, b)))
            bests = {name: min(found) for name, found in times.items()}
            for name in others:
                bound = 1.0 if text != "fd" else 2.0
                yield Row(f"{label} / {name}, time, d={size}", bests["gentk"] / bests[name], bound)
            leans = {name: memory(f"{metric}@{name}", size) for name in others}
            own = memory(text, size)
            for name in others:
                yield Row(f"{label} / {name}, memory, d={size}", own / leans[name], bound)


def main() -> None:
    """Print the table; exit 1 if a bound is missed."""
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == [CHILD]:
        memory_child(sys.argv[2], int(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--record", action="store_true", help="write docs/results/bench-metrics.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory(torch.device("cpu"))
    text = (
        "Figures of 10,000 against 10,000 float32 features. `fd,interval=false` is what the others "
        "compute; `fd with its error` adds the extrapolated distance and standard errors, which they "
        "do not have."
    )
    rows = list(measure(arguments.rounds))
    report(rows, "bench-metrics", "Metrics, as ratios", text, keep=arguments.record)


if __name__ == "__main__":
    main()
