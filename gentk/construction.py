"""Construction: a component's class becomes a component, or its author is told why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import Incompatible

__all__ = ["constructed"]

EARLY = "before Module.__init__() call"
"""What torch says of a network whose class sets a part before it is one."""


def constructed(
    target: Callable[..., Any], owner: str, arguments: Sequence[Any], options: Mapping[str, Any]
) -> Any:
    """Return what a class makes of its arguments, once it has all that its interface declares.

    Args:
        target: The class.
        owner: What a sentence calls the component: `loss 'mine'`.
        arguments: Its arguments by place.
        options: Its arguments by name.

    Raises:
        Incompatible: The class leaves out what its interface declares, or a call of its base's
            constructor.
    """
    try:
        built = target(*arguments, **options)
    except AttributeError as error:
        if EARLY not in str(error):
            raise
        raise Incompatible(_uncalled(owner, target)) from error
    # No torch here: what is to be a network has its methods, and not what they need.
    if hasattr(type(built), "register_parameter") and "_parameters" not in vars(built):
        raise Incompatible(_uncalled(owner, target))
    finished = getattr(built, "refuse_unfinished", None)
    if finished is not None:
        finished()
    return built


def _uncalled(owner: str, target: object) -> str:
    name = getattr(target, "__qualname__", type(target).__name__)
    return (
        f"{owner} ({name}) does not call the constructor of its base; write super().__init__() as the "
        "first line of its __init__"
    )
