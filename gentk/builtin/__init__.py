"""Parts that need no plugin: sources of data, pixels, and the plainest loss and estimator."""

from __future__ import annotations

from .. import spec as gentk

__all__ = ["gentk_components"]

SOURCES = "gentk.builtin.sources"
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def _part(
    kind: str,
    name: str,
    target: str,
    summary: str,
    argument: str | None = None,
    files: tuple[str, ...] = (),
) -> gentk.Component:
    return gentk.Component(
        kind=kind, name=name, target=target, summary=summary, argument=argument, files=files
    )


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the parts of this room."""
    return [
        _part("extractor", "pixels", "gentk.builtin.pixels:Pixels", "the image itself, one layer"),
        _part(
            "extractor", "identity", "gentk.builtin.identity:Identity", "what the generator makes"
        ),
        _part(
            "extractor",
            "critic",
            "gentk.builtin.critic:CriticFeatures",
            "features of the run's own critic, in training",
        ),
        _part(
            "loss",
            "reconstruction",
            "gentk.builtin.reconstruction:Reconstruction",
            "distance of images and G(E(x)), of auto-encoders",
        ),
        _part(
            "estimator",
            "batch",
            "gentk.builtin.batch:Batch",
            "the batch's own statistics, untracked",
        ),
        _part(
            "data", "digits", f"{SOURCES}.digits:Digits", "scikit-learn's digits, 8 x 8, embedded"
        ),
        _part(
            "data",
            "folder",
            f"{SOURCES}.folder:Folder",
            "image files, or a zip or tar",
            "PATH",
            ("/", *ARCHIVES),
        ),
        _part(
            "data",
            "parquet",
            f"{SOURCES}.parquet:Parquet",
            "Hugging Face image parquet",
            "PATH",
            (".parquet",),
        ),
        _part(
            "data",
            "arrow",
            f"{SOURCES}.arrow:Arrow",
            "what `datasets` saved or cached",
            "PATH",
            (".arrow",),
        ),
        _part("data", "npz", f"{SOURCES}.npz:Npz", "arrays in a NumPy file", "PATH", (".npz",)),
        _part("data", "cifar10", f"{SOURCES}.named:Cifar10", "CIFAR-10, 32 x 32 in colour"),
        _part("data", "stl10", f"{SOURCES}.named:STL10", "STL-10, 96 x 96 in colour"),
        _part("data", "mnist", f"{SOURCES}.named:Mnist", "MNIST, 28 x 28 in grey"),
        _part(
            "data",
            "fashion-mnist",
            f"{SOURCES}.named:FashionMnist",
            "Fashion-MNIST, 28 x 28 grey",
        ),
        _part(
            "data", "svhn", f"{SOURCES}.named:SVHN", "street view house numbers, 32 x 32 in colour"
        ),
        _part("data", "celeba", f"{SOURCES}.named:CelebA", "CelebA faces; add crop=160,size=64"),
        _part("data", "lsun", f"{SOURCES}.lsun:Lsun", "LSUN scenes; add classes=..., size=64"),
    ]
