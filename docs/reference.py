"""The reference pages, written from the real commands and components (`make docs-reference`).

`docs/reference/*.md` are committed; `tests/test_docs.py` fails when they differ from what this writes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parent))
import quotes
from formulas import is_formula, tex

FOLDER = Path(__file__).parent / "reference"
HEAD = "<!-- Written by docs/reference.py: type `make docs-reference`, do not edit. -->\n\n"
TABLES = {"schedule": (), "phase": {}, "stage": {}, "set": inspect.Parameter.empty}
"""Keys of a recipe that are tables, and their defaults."""

Rows = Iterable[Sequence[str]]


def main() -> None:
    """Write all pages, and remove those that are no more."""
    FOLDER.mkdir(exist_ok=True)
    texts = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"wrote {FOLDER / name}")
    quotes.main()


def pages() -> dict[str, str]:
    """Return file name -> text of every page, of gentk's own distributions only."""
    from gentk.first_party import FIRST_PARTY
    from gentk.plugins import discover
    from gentk.registry import Registry
    from gentk.spec import KINDS

    registry = Registry(discover(FIRST_PARTY))
    here = {row.distribution for row in registry.select()}
    missing = sorted({name for name, kinds in FIRST_PARTY.items() if kinds} - here)
    if missing:
        raise SystemExit(
            f"{', '.join(missing)} must be installed for the reference; type: make docs"
        )
    texts = {"commands.md": commands(), "recipes.md": recipes(registry)}
    for kind, maps in KINDS.items():
        parts = [part for part in registry.select(kind) if part.distribution in FIRST_PARTY]
        texts[f"{kind}.md"] = components(kind, maps, parts, registry)
    return {name: f"{HEAD}{text.rstrip()}\n" for name, text in texts.items()}


def commands() -> str:
    """Return the page of all commands, taken from click."""
    from gentk.cli.group import cli

    context = click.Context(cli, info_name="gentk", **cli.context_settings)
    intro = (
        "# Commands\n\nEvery command takes `--help` and `--debug` (show the traceback of an error). "
        "Exit codes: 0, 1 if a run could not go on, 2 if the request could not be understood, 130 "
        "after Ctrl-C.\n"
    )
    return "\n".join([intro, *_commands(cli, context)])


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _commands(command, inner)
            continue
        usage = " ".join([inner.command_path, *command.collect_usage_pieces(inner)])
        yield f"## {inner.command_path}\n\n```text\n{usage}\n```\n\n{_help(command.help or '')}\n"
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in command.get_params(inner):
            record = parameter.get_help_record(inner)
            if record and isinstance(parameter, click.Option) and "--debug" not in parameter.opts:
                title = getattr(parameter, "section", "")
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            rows = [(_code(flag), _prose(text)) for flag, text in records if "--help" not in flag]
            if rows:
                yield table((title or "option", "what it does"), rows)


def _help(text: str) -> str:
    """Return a command's help; what click is told not to wrap are examples."""
    blocks = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(
        f"```text\n{block.removeprefix(chr(8)).strip(chr(10))}\n```"
        if block.startswith("\b")
        else _prose(" ".join(block.split()))
        for block in blocks
    )


def recipes(registry: Any) -> str:
    """Return the page of recipes: what they may hold, and those there are."""
    from gentk.first_party import FIRST_PARTY
    from gentk.library import Library
    from gentk.options import Option
    from gentk.overlay import LISTS, SUMS
    from gentk.recipe import Change, PhaseRecipe, Recipe

    def keys(model: Any) -> str:
        rows = []
        for name, field in model.model_fields.items():
            default = inspect.Parameter.empty if field.is_required() else field.get_default()
            takes = Option(name, field.annotation).type_name
            if model is Recipe and name in (*LISTS, *SUMS):
                takes = "text, or a list of texts"
            if isinstance(default, tuple) and default:
                default = json.dumps(default)
            if name in TABLES:
                default, takes = TABLES[name], "a table"
            about = _prose(field.description or "")
            rows.append((_code(name), _code(takes), _default(default), about))
        return table(("key", "takes", "default", "what it is"), rows)

    parts = [
        "# Recipes\n\nA recipe is a TOML file whose keys are those of the table below. `gentk run NAME` "
        "or `gentk run FILE.toml` runs one; every key but `summary`, `schedule`, `phase` and `stage` is "
        "also a flag. Defaults < recipe < flags.\n",
        keys(Recipe),
        f"## `[[schedule]]`\n\n{_prose(_first(Change))}\n\n{keys(Change)}",
        f"## `[phase.NAME]`\n\n{_prose(_first(PhaseRecipe))}\n\n{keys(PhaseRecipe)}",
    ]
    for row in Library(registry.modules).rows():
        if row.distribution in FIRST_PARTY:
            text = row.text.rstrip()
            parts.append(
                f"## {row.name}\n\n{_prose(row.summary)} (from {row.distribution})\n\n"
                f"```toml\n{text}\n```\n"
            )
    return "\n".join(parts)


def components(kind: str, maps: str, parts: Sequence[Any], registry: Any) -> str:
    """Return the page of a kind."""
    from gentk.docstring import Docstring
    from gentk.families.shared import PLURALS, SHARED, shared_options

    text = [f"# {kind}\n\n{_prose(maps)}\n"]
    if not parts:
        text.append("gentk brings none of its own yet; a plugin may.\n")
    told: set[str] = set()
    for provided in parts:
        part = provided.component
        target = registry.target(provided)
        about = Docstring.parse(target.__doc__)
        whole = Docstring.parse(importlib.import_module(target.__module__).__doc__)
        name = f"{part.name}:{part.argument}" if part.argument else part.name
        text.append(f"## {name}\n\n{_prose(part.summary)} (from {provided.distribution})\n")
        text += [] if target.__module__ in told else [_paragraphs(whole.paragraphs)]
        told.add(target.__module__)
        text.append(_paragraphs(about.paragraphs))
        if part.argument:
            first = next(iter(about.arguments.values()), part.argument)
            text.append(f"{_code(part.argument)}: {_prose(first)}\n")
        text.append(_options(registry.options(provided), about.arguments))
    if shared := shared_options(kind):
        about = Docstring.parse(SHARED[kind].__doc__)
        text.append(f"## Options of all {PLURALS[kind]}\n\n{_options(shared, about.arguments)}")
    return "\n".join(text)


def _options(options: Sequence[Any], about: dict[str, str]) -> str:
    if not options:
        return "It takes no options.\n"
    rows = [
        (_code(o.name), _code(o.type_name), _default(o.default), _prose(about.get(o.name, "")))
        for o in options
    ]
    return table(("option", "takes", "default", "what it does"), rows)


def table(headers: Sequence[str], rows: Rows) -> str:
    """Return a Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\|", "|").replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _default(value: Any) -> str:
    """Return a default as it would be typed."""
    from gentk.cli.show import _written

    if value is inspect.Parameter.empty:
        return "(required)"
    return _code("none" if value in (None, (), {}) else _written(value))


def _first(model: Any) -> str:
    return inspect.getdoc(model) or ""


def _paragraphs(blocks: Iterable[str]) -> str:
    """Return paragraphs of a docstring; lines that are indented in it are formulas."""
    paragraphs = []
    for block in blocks:
        for formula, lines in _runs(block.splitlines()):
            text = "\n".join(lines)
            if formula and is_formula(lines):
                paragraphs.append(f"$$\n{tex(lines)}\n$$")
            else:
                paragraphs.append(
                    f"```text\n{textwrap.dedent(text)}\n```" if formula else _prose(text)
                )
    return "".join(f"{part}\n\n" for part in paragraphs)


def _runs(lines: Iterable[str]) -> Iterator[tuple[bool, list[str]]]:
    """Return runs of lines that are, or are not, formulas."""
    kept: list[str] = []
    formula = False
    for line in lines:
        if kept and line.startswith("  ") != formula:
            yield formula, kept
            kept = []
        formula = line.startswith("  ")
        kept.append(line.rstrip())
    if kept:
        yield formula, kept


def _prose(text: str) -> str:
    """Return text, on one line, in which only code in backticks is marked up."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    special = r"([\\*<$\[\]]|(?<!\w)_|_(?!\w))"
    return "".join(
        part if index % 2 else re.sub(special, r"\\\1", part) for index, part in enumerate(parts)
    )


if __name__ == "__main__":
    os.environ["COLUMNS"] = "100"
    main()
