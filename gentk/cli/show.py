"""`gentk show`: one component, recipe or model, with what it does and its options."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

from .completion import complete_names
from .sections import Command

if TYPE_CHECKING:
    from ..library import Library, Listed
    from ..models import Models
    from ..options import Option
    from ..plugins import Provided
    from ..registry import Registry

__all__ = ["command", "find_named"]


@click.command(cls=Command, short_help="Show a component's options, a recipe, or a model.")
@click.argument(
    "words", nargs=-1, required=True, metavar="[KIND] NAME", shell_complete=complete_names
)
def command(words: tuple[str, ...]) -> None:
    """Show what a component does and its options, the text of a recipe, or the card of a model.

    A name that several kinds have is shown for each, unless the kind is given.

    \b
    gentk show ama
    gentk show generator resnet
    gentk show extractor timm:vgg19      options are those of every timm:MODEL
    gentk show recipe quickstart
    gentk show model:digits
    """
    from ..errors import UsageError
    from ..library import LISTED, Library
    from ..models import PREFIX, Models
    from ..registry import Registry
    from ..spec import KINDS
    from .list import check_kind

    if len(words) > 2:
        raise UsageError(f"{' '.join(words)!r} is not [KIND] NAME; type: gentk show {words[-1]}")
    kind = words[0] if len(words) == 2 else None
    if kind is not None:
        if words[1] in KINDS and kind not in (*KINDS, *LISTED):
            raise UsageError(f"the kind stands first; type: gentk show {words[1]} {kind}")
        check_kind(kind)
    registry = Registry()
    if kind == "model" or (kind is None and words[-1].startswith(PREFIX)):
        _echo_model(words[-1].removeprefix(PREFIX), Models(registry.modules))
        return
    components, recipe = find_named(kind, words[-1], registry, Library(registry.modules))
    for index, provided in enumerate(components):
        if index:
            click.echo()
        _echo_component(provided, registry)
    if recipe is not None:
        gap = "\n" if components else ""
        text = recipe.text.rstrip()
        click.echo(f"{gap}recipe {recipe.name} ({recipe.distribution})\n\n{text}")


def find_named(
    kind: str | None, text: str, registry: Registry, library: Library, verb: str = "show"
) -> tuple[list[Provided], Listed | None]:
    """Return everything of that name, or raise `UnknownName`, which tells what to type after `verb`."""
    from ..errors import UsageError
    from ..first_party import FIRST_PARTY
    from ..selection import Selection

    recipes = {row.name: row for row in library.rows()}
    if kind == "recipe":
        if text not in recipes:
            library.read(text)  # Says what is near if there is none.
            raise UsageError(f"{text!r} is a file; type: gentk run {text} --dry-run")
        return [], recipes[text]
    name = Selection.parse(text).name
    if kind is not None:
        return [registry.find(kind, name)], None
    components = [registry.find(each, name) for each in registry.kinds_of(name)]
    if components or name in recipes:
        return components, recipes.get(name)
    owned = [k for kinds in FIRST_PARTY.values() for k, names in kinds.items() if name in names]
    for each in owned:
        registry.find(each, name)  # Says what to install.
    names = [p.component.name for p in registry.select()] + list(recipes)
    raise _unknown(text, names, registry, f"gentk {verb}")


def _unknown(text: str, names: list[str], registry: Registry, command: str) -> Exception:
    from ..errors import UnknownName, did_you_mean
    from ..library import LISTED, beside
    from ..models import PREFIX, Models
    from ..selection import Selection
    from ..spec import KINDS
    from .meant import kind_meant

    apart = kind_meant(text)
    if apart is not None:
        return UnknownName(f"{text!r} is a kind and a name; type: {command} {apart}")
    name = Selection.parse(text).name
    named = (kind for kind in (*KINDS, *LISTED) if name in (kind, f"{kind}s", f"{kind}es"))
    kind = next(named, None)
    if kind is not None:
        return UnknownName(f"{name!r} is a kind, not a name; type: gentk list {kind}")
    if name in Models(registry.modules).paths:
        return UnknownName(f"{name!r} is a model; type: gentk show {PREFIX}{name}")
    file = beside(text)
    if file is not None:
        return UnknownName(f"nothing is called {text!r}, but a file is; type: {file} --dry-run")
    hints = (registry.hint(kind, name) for kind in KINDS)
    hint = next((hint for hint in hints if hint), "") or did_you_mean(name, names)
    return UnknownName(f"nothing is called {name!r}; {hint}type: gentk list")


def _echo_model(name: str, models: Models) -> None:
    """Print where a model is, and its card."""
    from ..printable import printable
    from .table import echo_mapping

    row = models.row(name)
    click.echo(f"model {name} ({row.distribution})")
    click.echo(printable(row.summary))
    click.echo()
    echo_mapping({"data": row.data, "folder": str(row.path)})
    if row.card:
        click.echo()
        for line in row.card.splitlines():
            click.echo(printable(line))


def _echo_component(provided: Provided, registry: Registry) -> None:
    """Print what is declared, then what the class's docstrings and signature say."""
    from ..docstring import Docstring
    from ..families.shared import PLURALS, SHARED, shared_options
    from ..options import stray_of

    part = provided.component
    name = f"{part.name}:{part.argument}" if part.argument else part.name
    click.echo(f"{part.kind} {name} ({provided.distribution} {provided.version})")
    click.echo(part.summary)
    target = registry.target(provided)
    about = Docstring.parse(target.__doc__)
    whole = Docstring.parse(sys.modules[target.__module__].__doc__)
    width = min(shutil.get_terminal_size().columns, 100)
    for text in (whole.rendered(width), about.rendered(width)):
        click.echo(f"\n{text}" if text else "")
    if part.argument:
        first = next(iter(about.arguments.values()), part.argument)
        click.echo(f"\n{part.argument}: {first}")
    own = registry.options(provided)
    _echo_options("options", own, about.arguments)
    stray = stray_of(target, argument=part.argument is not None)
    if stray:
        names = ", ".join(map(str, stray))
        click.echo(
            f"no options, as they are not keyword-only arguments of its constructor: {names}"
        )
    taken = {option.name for option in own}
    shared = [option for option in shared_options(part.kind) if option.name not in taken]
    if shared:
        told = Docstring.parse(SHARED[part.kind].__doc__).arguments
        _echo_options(f"options of all {PLURALS[part.kind]}", shared, told)


def _echo_options(title: str, options: list[Option], about: dict[str, str]) -> None:
    from .table import echo_table

    if not options:
        click.echo(f"\n{title}: none")
        return
    click.echo(f"\n{title}:")
    rows = [(o.name, o.type_name, _written(o.default), about.get(o.name, "")) for o in options]
    echo_table(("name", "takes", "default", "what it does"), rows)


def _written(value: Any) -> str:
    """Return a default as it would be typed."""
    from ..options import REQUIRED

    if value is REQUIRED:
        return "(required)"
    if isinstance(value, tuple | list):
        return "+".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
