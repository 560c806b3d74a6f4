"""Commands: what is typed twice is refused, and help may list options in sections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

__all__ = ["Command", "SectionedCommand", "SectionedOption"]

OTHER = "Help"
"""The section of options that name none."""


class SectionedOption(click.Option):
    """An option that knows the section it is listed in."""

    def __init__(self, names: Sequence[str], *, section: str = "", **attributes: Any) -> None:
        super().__init__(names, **attributes)
        self.section = section


class Command(click.Command):
    """A command that takes an option of one value once: a second one would win without a word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what is typed; refuse options that stand twice."""
        if ctx.resilient_parsing:
            # A line that is being completed.
            return super().parse_args(ctx, args)
        _, _, typed = self.make_parser(ctx).parse_args(args=list(args))
        for number, parameter in enumerate(typed):
            single = isinstance(parameter, click.Option) and not (
                parameter.multiple or parameter.is_flag or parameter.count
            )
            if single and parameter in typed[:number]:
                name = parameter.opts[0]
                raise click.UsageError(f"{name} is typed twice and takes one value; drop one", ctx)
        return super().parse_args(ctx, args)


class SectionedCommand(Command):
    """A command whose help has a heading per section, in the order of declaration."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                section = getattr(parameter, "section", "") or OTHER
                sections.setdefault(section, []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records)
