"""Optimisers by name: every class of torch.optim, `NAME[,KEY=VALUE...]`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, cast

import torch
from torch import nn

from ..errors import BadOption, UnknownName
from ..options import Option, convert
from ..selection import Selection

__all__ = ["build_optimizer", "optimizer_names"]

UNFIT = frozenset({"optimizer", "lbfgs", "sparseadam"})
"""Not offered: the base class, and those that need a closure or sparse gradients."""


def optimizer_names() -> list[str]:
    """Return the names that `build_optimizer` knows."""
    return sorted(_classes())


def build_optimizer(text: str, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Build an optimiser; on devices that have it, the fused implementation.

    Raises:
        UnknownName: No optimiser of this name.
        BadOption: An option the optimiser does not take.
    """
    selection = Selection.parse(text)
    classes = _classes()
    if selection.name not in classes:
        close = get_close_matches(selection.name, classes, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UnknownName(f"no optimizer {selection.name!r}; {hint}known: {', '.join(classes)}")
    kind = classes[selection.name]
    options = _options(kind)
    values = convert(selection.options, options, f"optimizer {selection.name!r}")
    fusible = "fused" in {option.name for option in options}
    if fusible and not {"fused", "foreach", "capturable", "differentiable"} & values.keys():
        values["fused"] = True
    listed = list(parameters)
    # Without parameters to look at, the options are still checked: torch wants one.
    listed = listed or [nn.Parameter(torch.zeros(1))]
    plain = {key: value for key, value in values.items() if key != "fused"}
    try:
        try:
            return cast(torch.optim.Optimizer, kind(listed, **values))
        except (RuntimeError, NotImplementedError):
            # A device without fused kernels.
            return cast(torch.optim.Optimizer, kind(listed, **plain))
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise BadOption(
            f"optimizer {text!r} is refused ({reason}); write such as adam,lr=1e-3,betas=0.5+0.999"
        ) from error


def _classes() -> dict[str, Any]:
    found = {
        name.lower(): value
        for name, value in vars(torch.optim).items()
        if inspect.isclass(value) and issubclass(value, torch.optim.Optimizer)
    }
    return {name: found[name] for name in sorted(found) if name not in UNFIT}


def _options(kind: type[torch.optim.Optimizer]) -> list[Option]:
    """Read the options off a signature: torch's annotations allow tensors, its defaults tell more."""
    found = []
    for parameter in list(inspect.signature(kind).parameters.values())[1:]:
        default = parameter.default
        annotation: Any = bool | None if default is None else type(default)
        if isinstance(default, tuple):
            annotation = tuple[float, ...]
        elif annotation is int or parameter.name == "lr":
            annotation = float
        found.append(Option(parameter.name, annotation, default))
    return found
