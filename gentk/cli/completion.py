"""`gentk completion`: what a shell offers when the tab key is pressed. Nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .sections import Command

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..plugins import Provided
    from ..registry import Registry

__all__ = [
    "command",
    "complete_components",
    "complete_levels",
    "complete_names",
    "complete_recipes",
    "complete_runs",
    "complete_starts",
    "prepare",
]

VARIABLE = "_GENTK_COMPLETE"
SHELLS = ("bash", "zsh", "fish")

BASH = """_gentk_completion() {
    local typed=${COMP_LINE:0:COMP_POINT} breaks=${COMP_WORDBREAKS//[^:=]/}
    local current=${typed##*[[:space:]]} before="" count type value
    local -a words
    IFS=$' \\t' read -ra words <<< "$typed"
    count=${#words[@]}
    [[ -n $current ]] && count=$((count - 1))
    # Bash breaks words at : and =, and puts a completion behind the last of them.
    [[ -n $breaks ]] && before=${current%"${current##*[$breaks]}"}
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("${value#"$before"}") ;;
        esac
    done < <(COMP_WORDS="$typed" COMP_CWORD="$count" _GENTK_COMPLETE=bash_complete "$1")
    # An argument follows.
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:=] ]] && compopt -o nospace
    return 0
}
complete -o nosort -F _gentk_completion gentk
"""
"""The script for bash: click's takes no word that has a colon in it, such as `timm:vgg19`."""

RUN = "run:"
"""How a finished run begins where a component stands."""

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


@click.command(cls=Command, short_help="Have the shell complete what is typed.")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print a script that has SHELL complete commands, flags, recipes, components and run folders.

    In ~/.zshrc, zsh's own `autoload -Uz compinit && compinit` has to stand before it.

    \b
    echo 'eval "$(gentk completion bash)"' >> ~/.bashrc
    echo 'eval "$(gentk completion zsh)"' >> ~/.zshrc
    gentk completion fish > ~/.config/fish/completions/gentk.fish
    """
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    assert kind is not None
    try:
        # Of click, which looks at the version of the bash that is there.
        script = kind(root, {}, "gentk", VARIABLE).source()
    except RuntimeError as error:
        raise click.UsageError(str(error)) from error
    click.echo(BASH if shell == "bash" else script)


def prepare() -> None:
    """Have shells that ask complete `--option=VALUE` as one word, which to them it is."""
    from click.shell_completion import ShellComplete, add_completion_class, get_completion_class

    for shell in SHELLS:
        kind = get_completion_class(shell)
        assert kind is not None

        def complete(
            self: ShellComplete,
            args: list[str],
            incomplete: str,
            own: type[ShellComplete] = kind,
        ) -> list[CompletionItem]:
            items = own.get_completions(self, args, incomplete)
            option, equals, _ = incomplete.partition("=")
            for item in items if equals and option.startswith("--") else ():
                item.value = f"{option}={item.value}"
            return items

        add_completion_class(type(kind.__name__, (kind,), {"get_completions": complete}), shell)


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
                more = _arguments(registry, provided, typed.removeprefix(plus + name))
                words |= {f"{name}{each}": text for each, text in more.items()}
        return _items({plus + word: text for word, text in words.items()}, typed)

    return complete


def complete_levels(
    context: click.Context, parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Complete `KEY=VALUE`: the keys of a recipe, and then the names of a key's components."""
    from click.shell_completion import CompletionItem

    from ..keys import KEYS
    from ..spec import KINDS

    key, equals, value = typed.partition("=")
    if not equals:
        return _items({f"{name}=": text for name, text in KEYS.items()}, typed)
    known = complete_components(key)(context, parameter, value) if key in KINDS else []
    return [CompletionItem(f"{key}={item.value}", help=item.help) for item in known]


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

    items = _items({**_runs(typed), **_models(typed)}, typed)
    return items or [CompletionItem(typed, type="file")]


def complete_starts(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete runs as components, `run:FOLDER`, models that ship, and files of weights."""
    runs = _runs(typed.removeprefix(RUN)) if typed.startswith(RUN) else {"": "a finished run"}
    words = {f"{RUN}{folder}": text for folder, text in runs.items()}
    files = {str(path): "" for path in sorted(Path().glob(f"{_plain(typed)}*.safetensors"))}
    return _items({**words, **_models(typed), **files}, typed)


def _runs(typed: str) -> dict[str, str]:
    """Return the folders of runs, newest first."""
    records = [*Path("runs").glob("*/run.json"), *Path().glob("*/run.json")]
    if typed:
        records += Path().glob(f"{_plain(typed)}*/run.json") if not typed.startswith("/") else []
    newest = sorted(set(records), key=lambda record: record.stat().st_mtime, reverse=True)
    return {str(record.parent): "" for record in newest}


def _models(typed: str) -> dict[str, str]:
    """Return the models that ship, if what is typed may be one."""
    from ..models import PREFIX, Models
    from ..registry import Registry

    # They are looked for among plugins, which takes longer than what is typed may want.
    if not (PREFIX.startswith(typed) or typed.startswith(PREFIX)):
        return {}
    return {f"{PREFIX}{row.name}": row.summary for row in Models(Registry().modules).rows()}


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


def _arguments(registry: Registry, provided: Provided, typed: str) -> dict[str, str]:
    """Return the arguments of a component that work now: names, runs, or paths."""
    from ..errors import GentkError

    part = provided.component
    if f"{part.name}:" == RUN:
        return _runs(typed)
    paths = sorted(Path().glob(f"{_plain(typed)}*")) if not typed.startswith("/") else []
    words = {
        str(path): ""
        for path in paths
        if (path.is_dir() and "/" in part.files)
        or path.name.lower().endswith(part.files or ("\0",))
    }
    try:
        return {**words, **(registry.ready(provided) or {})}
    except GentkError:
        return words


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
