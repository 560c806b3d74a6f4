"""Telling: what an observer is given of an event is its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from torch import Tensor

from ..events import Event

__all__ = ["apart"]

E = TypeVar("E", bound=Event)


def apart(event: E) -> E:
    """Return an event whose rows, tables and images nobody else holds.

    An observer may then round, rename or scale what it is told: others record what happened, and so does
    the run.
    """
    return replace(event, **{each.name: _copy(getattr(event, each.name)) for each in fields(event)})


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, Mapping):
        return {key: _copy(own) for key, own in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_copy, value))
    return value
