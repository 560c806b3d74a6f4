"""Optimisers by name: every class of torch.optim, `NAME[,KEY=VALUE...]`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, cast

import torch
from torch import nn

from ..errors import BadOption, UnknownName, did_you_mean
from ..options import Option, convert
from ..registry import Registry
from ..selection import Selection
from ..session import OBJECT

__all__ = ["build_optimizer", "check_change"]

UNFIT = frozenset({"optimizer", "lbfgs", "sparseadam"})
"""Not offered: the base class, and those that need a closure or sparse gradients."""


def build_optimizer(
    text: str, parameters: Iterable[nn.Parameter], registry: Registry | None = None
) -> torch.optim.Optimizer:
    """Build an optimiser; on devices that have it, the fused implementation.

    Args:
        text: As it is written.
        parameters: What it moves; none to check the text only.
        registry: Where an optimiser that is an object is looked up.

    Raises:
        UnknownName: No optimiser of this name.
        BadOption: An option the optimiser does not take.
    """
    # Without parameters to look at, the options are still checked: torch wants one.
    listed = list(parameters) or [nn.Parameter(torch.zeros(1))]
    if _is_object(text):
        built, _ = Registry.of(registry).build("optimizer", text, parameters=listed)
        return cast(torch.optim.Optimizer, built)
    kind, values = _parse(text)
    if (
        "fused" in {option.name for option in _options(kind)}
        and not {"fused", "foreach", "capturable", "differentiable"} & values.keys()
    ):
        values["fused"] = True
    plain = {key: value for key, value in values.items() if key != "fused"}
    try:
        return _construct(kind, listed, values, text)
    except (RuntimeError, NotImplementedError):
        # A device without fused kernels.
        return _construct(kind, listed, plain, text)


def check_change(text: str, change: Mapping[str, Any], registry: Registry | None = None) -> None:
    """Refuse a schedule's change that the optimiser would not take.

    Args:
        text: The optimiser as it is written.
        change: Setting -> value.
        registry: Where an optimiser that is an object is looked up.

    Raises:
        BadOption: An unknown setting, or a value torch refuses.
    """
    if _is_object(text):
        known = sorted(build_optimizer(text, [], registry).defaults)
    else:
        kind, values = _parse(text)
        known = [option.name for option in _options(kind)]
    for key in change:
        if key not in known:
            hint = did_you_mean(key, known)
            raise BadOption(
                f"schedule: optimizer {text!r} has no setting {key!r}; {hint}"
                f"it takes {', '.join(known)}"
            )
    if not _is_object(text):
        trial = [nn.Parameter(torch.zeros(1))]
        _construct(kind, trial, {**values, **change}, f"{text} with {dict(change)}")


def _is_object(text: str) -> bool:
    """Say whether an optimiser is one that Python gave."""
    return Selection.parse(text).name == OBJECT


def _parse(text: str) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """Return the class and the converted options of an optimiser as typed."""
    selection = Selection.parse(text)
    classes = _classes()
    if selection.name not in classes:
        hint = did_you_mean(selection.name, classes)
        raise UnknownName(f"no optimizer {selection.name!r}; {hint}known: {', '.join(classes)}")
    kind = classes[selection.name]
    return kind, convert(selection.options, _options(kind), f"optimizer {selection.name!r}")


def _construct(
    kind: type[torch.optim.Optimizer],
    parameters: list[nn.Parameter],
    values: Mapping[str, Any],
    text: str,
) -> torch.optim.Optimizer:
    """Construct, with torch's refusal as one sentence."""
    make: Any = kind
    try:
        return cast(torch.optim.Optimizer, make(parameters, **values))
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise BadOption(
            f"optimizer {text!r} is refused ({reason}); write such as adam,lr=1e-3,betas=0.5+0.999"
        ) from error


def _classes() -> dict[str, Any]:
    classes = {
        name.lower(): value
        for name, value in vars(torch.optim).items()
        if inspect.isclass(value) and issubclass(value, torch.optim.Optimizer)
    }
    return {name: classes[name] for name in sorted(classes) if name not in UNFIT}


def _options(kind: type[torch.optim.Optimizer]) -> list[Option]:
    """Read the options off a signature: torch's annotations allow tensors, its defaults tell more."""
    options = []
    for parameter in list(inspect.signature(kind).parameters.values())[1:]:
        default = parameter.default
        annotation: Any = bool | None if default is None else type(default)
        if isinstance(default, tuple):
            annotation = tuple[float, ...]
        elif annotation is int or parameter.name == "lr":
            annotation = float
        options.append(Option(parameter.name, annotation, default))
    return options
