"""Evaluation: samples are compared with data, and the protocol is kept with every figure."""

from __future__ import annotations

from .. import spec as gentk

__all__ = ["gentk_components"]


@gentk.hookimpl
def gentk_components() -> list[gentk.Component]:
    """Return the parts of this room."""
    return [
        gentk.Component(
            kind="observer",
            name="evaluate",
            target="gentk.evaluation.observer:Evaluator",
            summary="figures every N steps",
        ),
    ]
