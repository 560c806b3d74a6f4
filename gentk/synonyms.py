"""Synonyms: what other tools call a part of gentk, for those who type that."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CALLED"]

CALLED: Mapping[str, Mapping[str, str]] = {
    "loss": {
        **dict.fromkeys(("gan", "bce", "vanilla", "non-saturating"), "logistic"),
        "wgan": "wasserstein",
        **dict.fromkeys(("mse", "l1", "l2"), "reconstruction"),
        **dict.fromkeys(("feature-matching", "gfmn"), "moments"),
        "sinkhorn": "coupling",
    },
    "estimator": {"none": "batch", "adam": "ama"},
    "metric": {
        **dict.fromkeys(("precision", "recall", "density", "coverage"), "prdc"),
        "inception-score": "is",
    },
    "observer": {**dict.fromkeys(("wandb", "mlflow", "tb"), "tensorboard"), "tqdm": "progress"},
}
"""Kind -> what other tools call a part, and its name here."""
