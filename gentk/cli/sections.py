"""Commands whose help lists options in sections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

__all__ = ["SectionedCommand", "SectionedOption"]

OTHER = "Help"
"""The section of options that name none."""


class SectionedOption(click.Option):
    """An option that knows the section it is listed in."""

    def __init__(self, names: Sequence[str], *, section: str = "", **attributes: Any) -> None:
        super().__init__(names, **attributes)
        self.section = section


class SectionedCommand(click.Command):
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
