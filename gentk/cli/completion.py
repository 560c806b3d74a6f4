"""`gentk completion`: what a shell offers when the tab key is pressed. Nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .sections import Command

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..registry import Registry

__all__ = ["command", "complete_components", "complete_names", "complete_recipes", "complete_runs"]

VARIABLE = "_GENTK_COMPLETE"
SHELLS = ("bash", "zsh", "fish")

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


@click.command(cls=Command, short_help="Have the shell complete what is typed.")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print a script that has SHELL complete commands, flags, recipes, components and run folders.

    \b
    echo 'eval "$(gentk completion bash)"' >> ~/.bashrc
    echo 'eval "$(gentk completion zsh)"' >> ~/.zshrc
    gentk completion fish > ~/.config/fish/completions/gentk.fish
    """
    from click.shell_completion import get_completion_class

    from .group import cli

    kind = get_completion_class(shell)
    assert kind is not None
    try:
        # Of click, whose script for bash looks at the version of the bash that is there.
        script = kind(cli, {}, "gentk", VARIABLE).source()
    except RuntimeError as error:
        raise click.UsageError(str(error)) from error
    click.echo(script)


def complete_components(kind: str) -> Complete:
    """Return a function that completes the names of a kind; `NAME:` where an argument follows."""

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
        from ..registry import Registry

        plus = "+" if typed.startswith("+") else ""
        registry = Registry()
        words: dict[str, str] = {}
        for provided in registry.select(kind):
            part = provided.component
            name = f"{part.name}:" if part.argument else part.name
            words[name] = part.summary
            if part.argument and typed.removeprefix(plus).startswith(name):
                words |= {
                    f"{name}{each}": where for each, where in _arguments(registry, part.name, kind)
                }
        return _items({plus + word: text for word, text in words.items()}, typed)

    return complete


def complete_recipes(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the names of recipes, and TOML files."""
    from ..library import Library
    from ..registry import Registry

    words = {row.name: row.summary for row in Library(Registry().modules).rows()}
    words |= {str(path): "" for path in sorted(Path().glob(f"{_plain(typed)}*.toml"))}
    return _items(words, typed)


def complete_runs(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the folders of runs, newest first, models that ship, and then any path."""
    from click.shell_completion import CompletionItem

    from ..models import PREFIX, Models
    from ..registry import Registry

    records = [*Path("runs").glob("*/run.json"), *Path().glob("*/run.json")]
    if typed:
        records += Path().glob(f"{_plain(typed)}*/run.json") if not typed.startswith("/") else []
    newest = sorted(set(records), key=lambda record: record.stat().st_mtime, reverse=True)
    words = {str(record.parent): "" for record in newest}
    # Models are looked for among plugins, which takes longer than what is typed may want.
    if PREFIX.startswith(typed) or typed.startswith(PREFIX):
        rows = Models(Registry().modules).rows()
        words |= {f"{PREFIX}{row.name}": row.summary for row in rows}
    items = _items(words, typed)
    return items or [CompletionItem(typed, type="file")]


def complete_names(context: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete kinds, and what there is of the kind that stands before, or of any."""
    from ..library import LISTED, Library
    from ..models import PREFIX, Models
    from ..registry import Registry
    from ..spec import KINDS

    registry = Registry()
    before = [word for value in context.params.values() for word in _words(value)]
    kind = next((word for word in before if word in KINDS or word in LISTED), None)
    words: dict[str, str] = {} if kind else {**KINDS, **LISTED}
    if kind not in LISTED:
        words |= {p.component.name: p.component.summary for p in registry.select(kind)}
    if kind in (None, "recipe"):
        words |= {row.name: row.summary for row in Library(registry.modules).rows()}
    if kind == "model" or typed.startswith(PREFIX):
        prefix = "" if kind else PREFIX
        words |= {f"{prefix}{row.name}": row.summary for row in Models(registry.modules).rows()}
    return _items(words, typed)


def _arguments(registry: Registry, name: str, kind: str) -> list[tuple[str, str]]:
    """Return the arguments of a component that work now."""
    from ..errors import GentkError

    try:
        return list((registry.ready(registry.find(kind, name)) or {}).items())
    except GentkError:
        return []


def _items(words: dict[str, str], typed: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(word, help=text) for word, text in words.items() if word.startswith(typed)
    ]


def _words(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, tuple) else []


def _plain(text: str) -> str:
    """Return a text in which no character has a meaning in a pattern."""
    from glob import escape

    return escape(text)
