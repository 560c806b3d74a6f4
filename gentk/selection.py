"""Selections: how a component and its options are written, `NAME[:ARGUMENT][,KEY=VALUE...]`.

Lists are joined with `+`: `timm:vgg19,layers=features.1+features.3`. A comma that is not followed
by `KEY=` belongs to what stands before it, so that paths may hold commas. A path that exists is that
path, also where its name looks like options: `folder:sweep/n=1,limit=3`. Quotes say where an argument
or a value ends, whatever exists: `folder:"sweep/n=1",limit=3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .errors import BadOption

__all__ = ["Selection", "distinct", "unquoted"]

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
        text = text.strip()
        head = OPTION.split(text, maxsplit=1)[0]
        name, colon, _ = head.partition(":")
        if not name:
            raise BadOption(f"{text!r} names no component; write NAME[:ARGUMENT][,KEY=VALUE...]")
        if "," in name:
            stray = name.split(",", 1)[1]
            raise BadOption(
                f"{stray!r} in {text!r} has no value; write KEY=VALUE after the comma, and components "
                "of a list one by one"
            )
        argument, rest = _first(text[len(name) + 1 :], text) if colon else (None, text[len(name) :])
        options: dict[str, str] = {}
        while rest:
            key, _, rest = rest.removeprefix(",").partition("=")
            key = key.replace("-", "_")
            if key in options:
                raise BadOption(f"option {key!r} stands twice in {text!r}; give it once")
            options[key], rest = _first(rest, text)
        return cls(name, argument, options)

    def __str__(self) -> str:
        """Write the selection as it is typed."""
        head = self.name if self.argument is None else f"{self.name}:{_written(self.argument)}"
        options = (f"{key}={_written(value)}" for key, value in self.options.items())
        return ",".join([head, *options])


def distinct(texts: Iterable[str]) -> list[str]:
    """Return what to call several components of a run: each without options, a second one `NAME#2`."""
    heads: list[str] = []
    for text in texts:
        own = Selection.parse(text)
        heads.append(str(Selection(own.name, own.argument)))
    counts = [heads[:index].count(head) for index, head in enumerate(heads)]
    return [f"{h}#{n + 1}" if n else h for h, n in zip(heads, counts, strict=True)]


def unquoted(text: str) -> str:
    """Return an argument without the quotes it may be written in."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _first(text: str, whole: str) -> tuple[str, str]:
    """Return the argument or value that a text begins with, and the options after it."""
    commas = [match.start() for match in OPTION.finditer(text)]
    ends = [*commas, len(text)]
    if text.startswith('"'):
        closed = [end for end in ends if end > 1 and text[end - 1] == '"']
        if not closed:
            raise BadOption(f'a quote is not closed in {whole!r}; write NAME:"PATH",KEY=VALUE')
        return text[1 : closed[0] - 1], text[closed[0] :]
    for end, start in zip(reversed(ends), [*reversed(commas), 0], strict=True):
        if end != ends[0] and _exists(text[:end], start):
            return text[:end], text[end:]
    return text[: ends[0]], text[ends[0] :]


def _exists(path: str, comma: int) -> bool:
    """Say whether a path exists, or the folder on its way that has the comma in its name."""
    below = path.find("/", comma)
    try:
        return any(
            Path(place).expanduser().exists()
            for place in (path, *([path[:below]] if below >= 0 else []))
        )
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, an unknown user
        return False


def _written(part: str) -> str:
    """Return an argument or value as it is typed: in quotes where it looks like options."""
    return f'"{part}"' if OPTION.search(part) or part.startswith('"') else part
