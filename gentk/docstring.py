"""Docstrings, taken apart for people at a terminal."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import dataclass, field

__all__ = ["Docstring"]

SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields):")
ENTRY = re.compile(r"(\w+): (.*)")


@dataclass
class Docstring:
    """A docstring's paragraphs and the descriptions of its arguments.

    Attributes:
        paragraphs: What stands outside sections; formulas keep their indentation and line breaks.
        arguments: Name -> description, of the sections `Args` and `Attributes`.
    """

    paragraphs: list[str] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> Docstring:
        """Read a docstring written in Google's style."""
        docstring = cls()
        for block in re.split(r"\n\s*\n", inspect.cleandoc(text or "")):
            head, _, rest = block.partition("\n")
            section = SECTION.fullmatch(head.strip())
            if section is None:
                docstring.paragraphs += [block] if block.strip() else []
            elif section[1] in ("Args", "Attributes"):
                docstring.arguments |= _arguments(rest)
        return docstring

    def rendered(self, width: int) -> str:
        """Return the paragraphs, filled to `width`; indented ones are formulas and stay."""
        parts = [
            block.rstrip() if block.startswith("  ") else _fill(block, width)
            for block in self.paragraphs
        ]
        return "\n\n".join(parts)


def _arguments(text: str) -> dict[str, str]:
    arguments: dict[str, str] = {}
    name = ""
    for line in textwrap.dedent(text).splitlines():
        entry = ENTRY.fullmatch(line)
        if entry:
            name = entry[1]
            arguments[name] = entry[2]
        elif name:
            arguments[name] += f" {line.strip()}"
    return arguments


def _fill(block: str, width: int) -> str:
    """Fill a paragraph; formulas inside it keep their lines."""
    lines: list[str] = []
    prose: list[str] = []
    for line in [*block.splitlines(), None]:
        if line is not None and not line.startswith("  "):
            prose.append(line)
            continue
        lines += textwrap.wrap(" ".join(prose), width, break_long_words=False)
        prose = []
        lines += [] if line is None else [line]
    return "\n".join(lines)
