"""The core's own components, offered through the same door as everyone's."""

from __future__ import annotations

from .. import spec as gentk
from ..version import DISTRIBUTION

__all__ = ["gentk_components"]

DATA = "builtin.sources"


def _part(
    kind: str, name: str, target: str, summary: str, argument: str | None = None
) -> gentk.Component:
    return gentk.Component(
        kind=kind,
        name=name,
        target=f"gentk.{target}",
        summary=summary,
        argument=argument,
        hint=f"pip install --force-reinstall {DISTRIBUTION}",
    )


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the built-in parts."""
    return [
        _part("extractor", "pixels", "builtin.pixels:Pixels", "the image itself, one layer"),
        _part("extractor", "identity", "builtin.identity:Identity", "what the generator makes"),
        _part("extractor", "run", "runs.extractor:RunExtractor", "the encoder of a run", "FOLDER"),
        _part(
            "loss",
            "reconstruction",
            "builtin.reconstruction:Reconstruction",
            "distance of images and G(E(x)), of auto-encoders",
        ),
        _part("estimator", "batch", "builtin.batch:Batch", "the batch's own statistics, untracked"),
        _part("data", "digits", f"{DATA}.digits:Digits", "scikit-learn's digits, 8 x 8, embedded"),
        _part("data", "folder", f"{DATA}.folder:Folder", "image files, or a zip or tar", "PATH"),
        _part("data", "parquet", f"{DATA}.parquet:Parquet", "Hugging Face image parquet", "PATH"),
        _part("data", "arrow", f"{DATA}.arrow:Arrow", "what `datasets` saved or cached", "PATH"),
        _part("data", "npz", f"{DATA}.npz:Npz", "arrays in a NumPy file", "PATH"),
        _part("data", "cifar10", f"{DATA}.named:Cifar10", "CIFAR-10, 32 x 32 in colour"),
        _part("data", "stl10", f"{DATA}.named:STL10", "STL-10, 96 x 96 in colour"),
        _part("data", "mnist", f"{DATA}.named:Mnist", "MNIST, 28 x 28 in grey"),
        _part("data", "fashion-mnist", f"{DATA}.named:FashionMnist", "Fashion-MNIST, 28 x 28 grey"),
        _part("data", "svhn", f"{DATA}.named:SVHN", "street view house numbers, 32 x 32 in colour"),
        _part("data", "celeba", f"{DATA}.named:CelebA", "CelebA faces; add crop=160,size=64"),
        _part("data", "lsun", f"{DATA}.lsun:Lsun", "LSUN scenes; add classes=..., size=64"),
        _part(
            "observer", "progress", "observers.progress:ProgressBar", "rate, ETA, loss on stderr"
        ),
        _part(
            "observer", "metrics", "observers.metrics:MetricsFile", "metrics.jsonl, a row a step"
        ),
        _part("observer", "grids", "observers.grids:SampleGrids", "samples/*.png during training"),
        _part("observer", "evaluate", "evaluation.observer:Evaluator", "figures every N steps"),
    ]
