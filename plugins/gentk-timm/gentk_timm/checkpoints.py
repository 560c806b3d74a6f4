"""Checkpoints: the state dictionary in a training file, which may hold several, and what was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["NoState", "State", "unpack", "without_prefix"]

_AVERAGED = (
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "ema_model",
    "params_ema",
    "ema",
    "teacher",
)
"""Where training programs keep averaged weights. timm's own loader takes the first two of these before
any other, and so does this; a teacher is the average of its student (DINO)."""

_PLAIN = (
    "state_dict",
    "model",
    "model_state_dict",
    "module",
    "params",
    "network",
    "net",
    "weights",
    "backbone",
    "encoder",
    "student",
)
_DEPTH = 4


class NoState(ValueError):
    """A file without a state dictionary, or with several; the message says what it holds."""


class State(NamedTuple):
    """A state dictionary, and what is to be said of its choice; nothing if it was the only one."""

    tensors: dict[str, Tensor]
    choice: str = ""


def unpack(content: object) -> State:
    """Return the state dictionary of what a file holds: averaged weights where there are any.

    Raises:
        NoState: There is none, or several that nothing chooses between.
    """
    if not isinstance(content, Mapping):
        raise NoState(f"it holds a {type(content).__name__}")
    place = _search(content, _DEPTH)
    if place is None:
        nested = {key: part for key, part in content.items() if _is_state(part)}
        if len(nested) != 1:
            raise NoState(_told(content))
        place = (str(next(iter(nested))),)
    part: object = content
    for key in place:
        assert isinstance(part, Mapping)
        part = part[key]
    assert isinstance(part, Mapping)
    tensors = {str(name): value for name, value in part.items() if isinstance(value, Tensor)}
    others = [str(name) for name, value in part.items() if not isinstance(value, Tensor)]
    said = []
    if place and place[0] not in ("state_dict", "model"):
        more = [key for key in content if key not in place and _search_in(content[key])]
        kind = " (averaged weights, which timm takes first)" if place[0] in _AVERAGED[:2] else ""
        kind = kind or (" (averaged weights)" if place[0] in _AVERAGED else "")
        instead = f", and not {', '.join(map(str, more))}" if more else ""
        said.append(f"weights are those of {'.'.join(place)}{kind}{instead}")
    if others:
        said.append(
            f"{', '.join(others[:4])} in it {'is' if len(others) == 1 else 'are'} no tensor"
        )
    return State(tensors, "; ".join(said))


def without_prefix(state: Mapping[str, Tensor], key: str) -> list[tuple[str, dict[str, Tensor]]]:
    """Return the parts of a state under which the name of a wanted tensor stands, without their names.

    Args:
        state: The whole, such as `backbone.conv1.weight`, `head.weight`.
        key: The name of a tensor that a network needs, such as `conv1.weight`.

    Returns:
        Pairs of prefix and part, those of averaged weights first.
    """
    prefixes = {name[: -len(key)] for name in state if name.endswith(f".{key}")}
    order = sorted(prefixes, key=lambda p: (not any(word in p for word in _AVERAGED), len(p), p))
    return [
        (p, {name[len(p) :]: value for name, value in state.items() if name.startswith(p)})
        for p in order
    ]


def _search(content: Mapping[object, object], depth: int) -> tuple[str, ...] | None:
    """Return the keys that lead to a state dictionary, the best one first; () for the content itself."""
    for key in (*_AVERAGED, *_PLAIN):
        part = content.get(key)
        if isinstance(part, Mapping) and depth:
            below = _search(part, depth - 1)
            if below is not None:
                return (key, *below)
    values = list(content.values())
    if not any(isinstance(value, Mapping) for value in values) and (
        not values or any(isinstance(value, Tensor) for value in values)
    ):
        return ()
    return None


def _search_in(part: object) -> bool:
    """Say whether a part of a file holds a state dictionary too."""
    return isinstance(part, Mapping) and bool(part) and _search(part, _DEPTH) is not None


def _is_state(part: object) -> bool:
    return (
        isinstance(part, Mapping) and bool(part) and all(torch.is_tensor(v) for v in part.values())
    )


def _told(content: Mapping[object, object]) -> str:
    """Return what a file holds, in words."""
    parts = []
    for key, value in list(content.items())[:8]:
        size = f" of {len(value)}" if isinstance(value, Mapping) else ""
        parts.append(f"{key} ({type(value).__name__}{size})")
    more = ", ..." if len(content) > 8 else ""
    return f"it holds {', '.join(parts)}{more}"
