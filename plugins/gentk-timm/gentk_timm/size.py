"""Size: which heights and widths of images a network takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from timm.models import PretrainedCfg
from torch import Tensor, nn

from gentk.errors import Incompatible

from .layers import BATCH
from .model import full_name

__all__ = ["accepts", "dry_images"]

_SMALL = 96
"""Height and width in pixels of dry runs, for networks that take any: cheap."""


def accepts(run: Callable[[Tensor], object], images: Tensor) -> bool:
    """Say whether a forward pass goes through."""
    try:
        with torch.no_grad():
            run(images)
    except Exception:  # networks refuse sizes with whatever error comes first
        return False
    return True


def dry_images(network: nn.Module, config: PretrainedCfg) -> tuple[Tensor, tuple[int, int] | None]:
    """Return black images that a network takes, and the size it insists on; None if on none.

    The images are large enough for maps of more than one position throughout.

    Raises:
        Incompatible: It takes no images, not even of the size that timm records for it.
    """
    channels, height, width = config.input_size
    features = cast(Callable[[Tensor], object], network.forward_features)

    def black(height: int, width: int) -> Tensor:
        return torch.zeros(BATCH, channels, height, width)

    def spread(images: Tensor) -> None:
        output = features(images)
        if isinstance(output, Tensor) and 1 in output.shape:
            raise ValueError("the last map has a single position")

    if not config.fixed_input_size and accepts(spread, black(_SMALL, _SMALL)):
        return black(_SMALL, _SMALL), None
    own = black(height, width)
    if not accepts(features, own):
        raise Incompatible(
            f"timm:{full_name(config)} cannot be run on {height}x{width} images; type another model"
        )
    # It may refuse small images only, or all but its own size.
    if not config.fixed_input_size and accepts(features, black(height + 32, width + 32)):
        return own, None
    return own, (height, width)
