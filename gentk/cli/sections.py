"""Commands: what is typed twice is refused, and help may list options in sections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click

from .meant import subcommand_meant

__all__ = ["Command", "Group", "SectionedCommand", "SectionedOption"]

LIST = re.compile(r"(?P<key>[\w-]+=)?(?P<names>[\w.-]+(,[\w.-]+)+)")
"""Names or values joined with commas, which stand before options: `fd,kid`, `lr=1e-3,1e-4`."""

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
        values, _, typed = self.make_parser(ctx).parse_args(args=list(args))
        for number, parameter in enumerate(typed):
            single = isinstance(parameter, click.Option) and not (
                parameter.multiple or parameter.is_flag or parameter.count
            )
            if single and parameter in typed[:number]:
                name = parameter.opts[0]
                raise click.UsageError(f"{name} is typed twice and takes one value; drop one", ctx)
            if isinstance(parameter, click.Option) and parameter.multiple:
                for value in values[str(parameter.name)]:
                    _refuse_list(parameter.opts[0], str(value), ctx)
        return super().parse_args(ctx, args)


class Group(click.Group):
    """A command of several, which says of words it does not have what does that."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what is typed; without any of the commands there is only help."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for, or say which one is near."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            group = ctx.info_name or ""
            hint = subcommand_meant(group, args[0], list(self.commands))
            ctx.fail(f"no command '{group} {args[0]}'; {hint}".rstrip("; "))
        return super().resolve_command(ctx, args)


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


def _refuse_list(flag: str, text: str, context: click.Context) -> None:
    """Refuse a list for what an option takes one by one, and write it out."""
    match = LIST.fullmatch(text)
    # The keys of `--stage` have a dot; a name before the comma takes options behind it.
    if match is not None:
        each = [f"{flag} {match['key'] or ''}{name}" for name in match["names"].split(",")]
        raise click.UsageError(f"{flag} takes one at a time; type {' '.join(each)}", context)
