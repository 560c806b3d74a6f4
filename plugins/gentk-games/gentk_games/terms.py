"""Terms: one function of each score, averaged over samples; and one layer of the critic's features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from gentk.errors import BadOption
from gentk.interfaces import Features, Side

__all__ = ["Reduction", "layer_of", "terms"]

Reduction = Literal["sum", "mean"]
"""How the terms of several scores make one loss: their sum, or their mean (DeepMind's notebook)."""


def terms(
    side: Side, function: Callable[[Tensor], Tensor], reduction: Reduction
) -> dict[str, Tensor]:
    """Return `SIDE/SCORE` -> the mean of `function` over samples.

    Args:
        side: The data's or the model's; its scores are asked for.
        function: What becomes of a score, elementwise.
        reduction: With `mean`, each term is divided by the number of scores, so that the terms'
            sum is the mean over scores.
    """
    scores = side.scores
    parts = len(scores) if reduction == "mean" else 1
    return {f"{side.name}/{name}": function(s).mean() / parts for name, s in scores.items()}


def layer_of(features: Features, layer: str | None, owner: str) -> Tensor:
    """Return one layer of the critic's features, (N, D); the last one if none is named.

    Raises:
        BadOption: There is no such layer; `owner` is who wants it, as in `loss 'denoising'`.
    """
    name = next(reversed(features)) if layer is None else layer
    if name not in features:
        raise BadOption(
            f"{owner}: the critic has no features {name!r}; write layer={'|'.join(features)}"
        )
    return torch.flatten(features[name], 1)
