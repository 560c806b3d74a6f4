"""Selections: how a component and its options are written, `NAME[:ARGUMENT][,KEY=VALUE...]`.

Lists are joined with `+`: `timm:vgg19,layers=features.1+features.3`. A comma that is not followed
by `KEY=` belongs to what stands before it, so that paths may hold commas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .errors import BadOption

__all__ = ["Selection"]

OPTION = re.compile(r",(?=[A-Za-z_][\w-]*=)")


@dataclass(frozen=True)
class Selection:
    """A component as asked for: its name, the argument after the colon, its options as written."""

    name: str
    argument: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Read a selection; raise `BadOption` where it is malformed."""
        head, *rest = OPTION.split(text.strip())
        name, colon, argument = head.partition(":")
        if not name:
            raise BadOption(f"{text!r} names no component; write NAME[:ARGUMENT][,KEY=VALUE...]")
        if "," in name:
            stray = name.split(",", 1)[1]
            raise BadOption(f"{stray!r} in {text!r} has no value; write KEY=VALUE after the comma")
        options: dict[str, str] = {}
        for part in rest:
            key, _, value = part.partition("=")
            key = key.replace("-", "_")
            if key in options:
                raise BadOption(f"option {key!r} stands twice in {text!r}; give it once")
            options[key] = value
        return cls(name, argument if colon else None, options)

    def __str__(self) -> str:
        """Write the selection as it is typed."""
        head = self.name if self.argument is None else f"{self.name}:{self.argument}"
        return ",".join([head, *(f"{key}={value}" for key, value in self.options.items())])
