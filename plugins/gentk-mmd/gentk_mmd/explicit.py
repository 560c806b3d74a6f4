"""Explicit features: phi with <phi(x), phi(y)> close to k(x, y), so that MMD^2 is a distance of means.

    MMD^2 ~ |mean phi(x) - mean phi(y)|^2

is linear in the number of samples, streams, and is tracked by the estimators of means (`ma`, `ama`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from gentk.errors import BadOption

__all__ = ["FeatureMap", "parse_features"]

FORMS = ("rff", "nystrom")


class FeatureMap(ABC):
    """phi: rows of features -> rows of m explicit features."""

    @abstractmethod
    def __call__(self, rows: Tensor) -> Tensor:
        """Return phi of each row, (N, m) for (N, D), differentiable."""


def parse_features(written: tuple[str, ...]) -> tuple[str, int]:
    """Return the form and the number m of explicit features of `rff+1024`.

    Raises:
        BadOption: The form is unknown or m is no whole number above 0.
    """
    match written:
        case (str() as form, str() as text) if form in FORMS and text.isdecimal() and int(text) > 0:
            return form, int(text)
    raise BadOption(
        f"loss 'mmd': features are rff+NUMBER or nystrom+NUMBER, not {'+'.join(written)!r}; write "
        "features=rff+1024"
    )
