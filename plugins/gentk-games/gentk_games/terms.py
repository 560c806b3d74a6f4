"""Terms: one function of each score, averaged over samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from gentk.interfaces import Side

__all__ = ["Reduction", "terms"]

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
