"""Ready: whether the Inception weights are on this machine. It does not import torch."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["WHERE", "ready"]

WHERE = "weights-inception-2015-12-05-6726825d.pth"
"""The file's name in the `checkpoints` of torch's hub."""


def ready() -> dict[str, str]:
    """Return `{"": "cache"}` if the weights are where torch's hub keeps them, else nothing."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser()
    return {"": "cache"} if (home / "hub" / "checkpoints" / WHERE).is_file() else {}
