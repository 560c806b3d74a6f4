"""Flags: those that are a recipe's keys, in their sections, and the words of those that commands share.

What a key is, `gentk.keys` says once, for the recipe's schema too.
"""

from __future__ import annotations

from collections.abc import Collection

import click

from ..keys import KEYS as WHAT
from .completion import complete_components, complete_starts
from .sections import SectionedOption

__all__ = ["HELP", "KEYS", "KeyOption", "key_options"]

KEYS: dict[str, tuple[str, ...]] = {
    "What is trained": (
        "--data NAME",
        "--extractor NAME",
        "--generator NAME",
        "--encoder NAME",
        "--critic NAME",
        "--loss NAME",
        "--penalty NAME",
        "--estimator NAME",
        "--init run:FOLDER",
        "--codec run:FOLDER",
        "--stage NAME.KEY=VALUE",
    ),
    "How": (
        "--steps N",
        "--minutes M",
        "--operations N",
        "--batch N",
        "--chunk N",
        "--reference N",
        "--optimizer NAME",
        "--decay none|linear|cosine",
        "--clip NORM",
        "--ema DECAY",
        "--seed N",
    ),
    "Where it computes": ("--device NAME", "--dtype float32|bfloat16", "--threads N"),
    "What comes out": ("--out FOLDER", "--observer NAME"),
}
"""Section -> flags with what they take. Each is a key of a recipe."""

REPEATABLE = frozenset(
    {"--extractor", "--loss", "--penalty", "--estimator", "--observer", "--stage"}
)

HELP = {
    "--seed": "Same seed, same samples.",
    "--metric": "Repeatable; fd by default.",
    "--extractor": "In whose features; repeatable.",
    "--quiet": "No progress on stderr.",
    "--json": "Print JSON.",
    "--markdown": "Print a Markdown table.",
    "--png": "Draw it into a file, too.",
}
"""What flags do that several commands take and that are no keys of a recipe."""


class KeyOption(SectionedOption):
    """A flag that is a key of a recipe, or means the same: its help is the key's description."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the flag and what it is."""
        text = WHAT[str(self.name)]
        self.help = text if text.endswith(".") else f"{text}."
        return super().get_help_record(ctx)


SHORT = SectionedOption(
    ["--lr", "--learning-rate"],
    section="How",
    metavar="RATE",
    help="The optimiser's rate; its other settings stay.",
)
"""One option of a component that has a flag of its own: `gentk.overlay.SHORT`."""


def key_options(skip: Collection[str] = ()) -> list[SectionedOption]:
    """Return the flags of all keys of a recipe that fit on a command line, but those to skip."""
    flags: list[SectionedOption] = []
    for section, rows in KEYS.items():
        for row in rows:
            name, metavar = row.split()
            if name in skip:
                continue
            many = name in REPEATABLE
            key = name.removeprefix("--")
            completes = {"NAME": complete_components(key), "run:FOLDER": complete_starts}
            more = {"shell_complete": completes[metavar]} if metavar in completes else {}
            flags.append(KeyOption([name], section=section, metavar=metavar, multiple=many, **more))
            flags += [SHORT] if name == "--optimizer" else []
    return flags
