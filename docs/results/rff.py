"""Explicit features against their kernels: `python docs/results/rff.py`, half a minute.

Renders `rff.md` and `rff.png`: the root mean square error of the kernel between images of digits over
the number of features, for random Fourier and for Nystrom features, and the slopes fitted to it.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import torch
from matplotlib import pyplot
from sklearn.datasets import load_digits
from torch import Tensor

from gentk_mmd.choice import KernelChoice
from gentk_mmd.explicit import FeatureMap
from gentk_mmd.gram import gram
from gentk_mmd.kernels import KernelName
from gentk_mmd.nystrom import NystromFeatures
from gentk_mmd.rff import FourierFeatures

HERE = Path(__file__).parent
NUMBERS = [32, 64, 128, 256, 512, 1024, 2048, 4096]
LANDMARKS = [16, 32, 64, 128, 256, 512, 1024]
KERNELS: tuple[KernelName, ...] = ("gaussian", "laplacian")
SEEDS = 10
JUDGED = 400
"""Images whose pairs are judged; landmarks are taken of the others."""

Curve = tuple[str, list[int], list[float]]


def main() -> None:
    """Measure, draw, write."""
    torch.set_num_threads(1)
    curves = [curve for kernel in KERNELS for curve in measured(kernel)]
    draw(curves)
    write(curves)


def measured(name: KernelName) -> list[Curve]:
    """Return the errors of both forms for one kernel at the median bandwidth."""
    pixels = torch.from_numpy(load_digits().data / 16)
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))
    judged, others = pixels[order[:JUDGED]], pixels[order[JUDGED:]]
    choice = KernelChoice("loss 'mmd'", name, ("median",), "standard")
    bandwidths = choice.settle(others)
    kernel = choice.kernel(bandwidths)
    exact = gram(judged, judged, kernel)

    def fourier(number: int, seed: int) -> FeatureMap:
        return FourierFeatures(
            bandwidths, "standard", laplacian=name == "laplacian", number=number, seed=seed
        )

    def nystrom(number: int, seed: int) -> FeatureMap:
        chosen = torch.randperm(len(others), generator=torch.Generator().manual_seed(seed))
        return NystromFeatures(others[chosen[:number]], kernel)

    curves = []
    for form, make, numbers in (("rff", fourier, NUMBERS), ("nystrom", nystrom, LANDMARKS)):
        errors = [
            np.mean([error(make(number, seed), judged, exact) for seed in range(SEEDS)]) ** 0.5
            for number in numbers
        ]
        curves.append((f"{form}, {name}", numbers, [float(value) for value in errors]))
    return curves


def error(phi: FeatureMap, x: Tensor, exact: Tensor) -> float:
    """Return the mean square of <phi(x), phi(y)> - k(x, y)."""
    features = phi(x)
    return float((features @ features.T - exact).square().mean())


def slope(numbers: list[int], errors: list[float]) -> float:
    """Return the exponent of the error in the number of features."""
    return float(np.polyfit(np.log(numbers), np.log(errors), 1)[0])


def draw(curves: list[Curve]) -> None:
    """Draw all curves with the line of slope -1/2."""
    figure, axes = pyplot.subplots(figsize=(6.4, 4.2))
    for name, numbers, errors in curves:
        axes.loglog(
            numbers, errors, "o-", markersize=3, label=f"{name}: {slope(numbers, errors):.2f}"
        )
    line = np.array([NUMBERS[0], NUMBERS[-1]])
    axes.loglog(line, line**-0.5, "k--", linewidth=0.8, label="m^-1/2")
    axes.set_xlabel("explicit features m")
    axes.set_ylabel("root mean square error of k")
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(HERE / "rff.png", dpi=120)


def write(curves: list[Curve]) -> None:
    """Write the page."""
    lines = [
        "# Explicit features converge to their kernels",
        "",
        f"Root mean square error of <phi(x), phi(y)> against k(x, y) between {JUDGED} images of digits "
        f"(8 x 8 pixels), bandwidth the median distance, {SEEDS} seeds. Random features fall as m^-1/2 "
        "whatever the kernel. Landmarks of the data start lower and follow its spectrum: fast for "
        "the smooth Gaussian, slower than m^-1/2 for the rough Laplacian.",
        "",
        "| features | fewest | error | most | error | fitted slope |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, numbers, errors in curves:
        lines.append(
            f"| {name} | {numbers[0]} | {errors[0]:.2g} | {numbers[-1]} | {errors[-1]:.2g} | "
            f"{slope(numbers, errors):.2f} |"
        )
    lines += ["", "Made by `make results-rff`.", "", "![rff](rff.png)"]
    (HERE / "rff.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
