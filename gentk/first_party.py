"""The names of first-party components, which no other distribution may take."""

from __future__ import annotations

from .version import DISTRIBUTION

__all__ = ["FIRST_PARTY", "owner_of"]

FIRST_PARTY: dict[str, dict[str, tuple[str, ...]]] = {
    DISTRIBUTION: {
        "extractor": ("pixels", "identity", "critic", "run"),
        "loss": ("reconstruction",),
        "family": ("matching", "autoencoding"),
        "estimator": ("batch",),
        "data": (
            "digits",
            "folder",
            "parquet",
            "arrow",
            "npz",
            "cifar10",
            "stl10",
            "mnist",
            "fashion-mnist",
            "svhn",
            "celeba",
            "lsun",
        ),
        "observer": ("progress", "metrics", "grids", "evaluate"),
    },
    "gentk-timm": {"extractor": ("timm",)},
    "gentk-models": {},
    "gentk-moments": {"loss": ("moments", "fd"), "metric": ("fd",)},
    "gentk-averages": {"estimator": ("ma", "ama", "ema", "window", "denoiser", "queue")},
    "gentk-fields": {"loss": ("gaussian-kl", "drift", "coupling", "sliced")},
    "gentk-mmd": {
        "loss": ("mmd", "feasible-set", "repulsive"),
        "metric": ("kid", "mmd", "parzen"),
    },
    "gentk-nets": {
        "generator": ("mlp", "dcgan", "resnet"),
        "encoder": ("mlp", "dcgan", "vgg"),
        "critic": ("mlp", "dcgan"),
    },
    "gentk-metrics": {
        "metric": ("prdc", "mind", "is", "memorised"),
        "extractor": ("inception",),
    },
    "gentk-games": {
        "loss": (
            "hinge",
            "logistic",
            "wasserstein",
            "fisher",
            "denoising",
            "latent-regressor",
            "classifier",
        ),
        "penalty": ("gradient", "activations", "autoencoder", "weight-gradient"),
        "critic": ("augmented",),
        "metric": ("classifier",),
        "family": ("adversarial",),
    },
    "gentk-gans": {
        "generator": ("sngan-cnn", "sngan-resnet"),
        "critic": ("sngan-cnn", "sngan-resnet", "mmdgan-autoencoder", "mmdgan-dcgan", "molm"),
    },
    "gentk-bigan": {
        "critic": ("bigan", "ali"),
        "generator": ("bigan", "ali"),
        "encoder": ("bigan", "ali"),
    },
    "gentk-bigbigan": {
        "generator": ("biggan",),
        "critic": ("biggan", "fhj"),
        "encoder": ("resnet", "revnet"),
        "metric": ("probe",),
    },
    "gentk-tensorboard": {"observer": ("tensorboard",)},
}
"""gentk's own distributions and the names they hold, installed or not."""


def owner_of(kind: str, name: str) -> str | None:
    """Return the distribution to which a component's name belongs, if it is one of gentk's own."""
    for distribution, kinds in FIRST_PARTY.items():
        if name in kinds.get(kind, ()):
            return distribution
    return None
