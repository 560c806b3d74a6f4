"""Shared options: what every component of a kind takes, whatever it is, and somebody else applies."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Final, get_type_hints

from ..data.view import View
from ..errors import BadOption
from ..options import Option

__all__ = ["PLURALS", "SHARED", "LossOptions", "shared_options"]


@dataclass(frozen=True)
class LossOptions:
    """How a loss counts among those of its run.

    Attributes:
        factor: The loss is multiplied by it, above 0.
    """

    factor: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.factor < math.inf:
            raise BadOption(f"a loss's factor is above 0, not {self.factor}; write factor=0.1")


SHARED: Final[dict[str, type[Any]]] = {"data": View, "loss": LossOptions}
"""Kind -> the class whose fields are options of all its components."""


PLURALS: Final[dict[str, str]] = {"data": "data", "loss": "losses"}
"""What a sentence calls the components of these kinds."""


def shared_options(kind: str) -> list[Option]:
    """Return the options that all components of a kind take."""
    shared = SHARED.get(kind)
    if shared is None:
        return []
    hints = get_type_hints(shared)
    return [Option(field.name, hints[field.name], field.default) for field in fields(shared)]
