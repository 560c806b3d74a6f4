"""Synonyms: what other tools call parts and options, and their names here."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["OPTIONS", "PARTS"]

PARTS: Mapping[str, Mapping[str, str]] = {
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

OPTIONS: Mapping[str, str] = {
    **dict.fromkeys(("learning_rate", "rate"), "lr"),
    **dict.fromkeys(("latent_dim", "z_dim", "nz", "dim"), "latent"),
    **dict.fromkeys(("num_classes", "n_classes"), "classes"),
    **dict.fromkeys(("ngf", "ndf", "channels", "base_channels"), "width"),
    **dict.fromkeys(("hidden", "hidden_sizes", "layers"), "widths"),
    **dict.fromkeys(("resolution", "image_size", "img_size"), "size"),
    **dict.fromkeys(("bandwidth", "sigma"), "bandwidths"),
    "wd": "weight_decay",
}
"""What other tools call an option, and its name here, where a component has it."""
