"""Shared options: what every component of a kind takes, whatever it is, and somebody else applies."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_type_hints

from ..data.view import View
from ..errors import BadOption
from ..options import Option

__all__ = ["PLURALS", "SHARED", "ExtractorOptions", "LossOptions", "shared_options"]


@dataclass(frozen=True)
class LossOptions:
    """How a loss counts among those of its run.

    Attributes:
        factor: The loss is multiplied by it, above 0.
        balance: What it is of several extractors: of all features side by side, `none`; or one loss and
            estimator for each extractor, summed by the extractors' weights, `equal`; the same, each
            divided by its value between two halves of the data, `floor`.
    """

    factor: float = 1.0
    balance: Literal["none", "equal", "floor"] = "none"

    def __post_init__(self) -> None:
        if not 0 < self.factor < math.inf:
            raise BadOption(f"a loss's factor is above 0, not {self.factor}; write factor=0.1")


@dataclass(frozen=True)
class ExtractorOptions:
    """How an extractor counts among those of its run.

    Attributes:
        weight: What the loss on its features is multiplied by, above 0; for losses that are balanced
            over extractors.
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.weight < math.inf:
            raise BadOption(
                f"an extractor's weight is above 0, not {self.weight}; write weight=0.5"
            )


SHARED: Final[dict[str, type[Any]]] = {
    "data": View,
    "loss": LossOptions,
    "extractor": ExtractorOptions,
}
"""Kind -> the class whose fields are options of all its components."""


PLURALS: Final[dict[str, str]] = {
    "data": "data",
    "loss": "losses",
    "extractor": "extractors",
}
"""What a sentence calls the components of these kinds."""


def shared_options(kind: str) -> list[Option]:
    """Return the options that all components of a kind take."""
    shared = SHARED.get(kind)
    if shared is None:
        return []
    hints = get_type_hints(shared)
    return [Option(field.name, hints[field.name], field.default) for field in fields(shared)]
