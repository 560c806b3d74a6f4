"""The library of recipes: TOML files found by name in the packages of gentk and its plugins."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from .errors import BadRecipe, UnknownName

__all__ = ["Library", "Listed"]


@dataclass(frozen=True)
class Listed:
    """A recipe's row: its name, its summary, the distribution it came with, and its text."""

    name: str
    summary: str
    distribution: str
    text: str


class Library:
    """All recipes by name; the first distribution in sorted order wins a name, gentk before all.

    Args:
        modules: (distribution, package) of every plugin that loaded, whose folder `recipes` is read.
    """

    def __init__(self, modules: Iterable[tuple[str, str]]) -> None:
        self._recipes: dict[str, Listed] = {}
        for distribution, module in [("gentk", "gentk"), *modules]:
            for name, text in _files(module):
                summary = str(parse(text, name).get("summary", ""))
                self._recipes.setdefault(name, Listed(name, summary, distribution, text))

    def rows(self) -> list[Listed]:
        """Return all recipes, sorted by name."""
        return [self._recipes[name] for name in sorted(self._recipes)]

    def read(self, name: str) -> tuple[str, dict[str, Any]]:
        """Return the name and the table of a recipe, by name or by the path of a TOML file."""
        if name in self._recipes:
            return name, parse(self._recipes[name].text, name)
        path = Path(name)
        if path.suffix == ".toml" or path.parent != Path("."):
            try:
                return path.stem, parse(path.read_text(encoding="utf-8"), name)
            except OSError as error:
                raise BadRecipe(
                    f"recipe {name!r} cannot be read ({error.strerror}); name a TOML file, or one "
                    f"of {', '.join(sorted(self._recipes))}"
                ) from error
        close = get_close_matches(name, self._recipes, n=2)
        hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise UnknownName(f"no recipe {name!r}; {hint}type: gentk list recipe")


def parse(text: str, name: str) -> dict[str, Any]:
    """Read TOML; raise `BadRecipe` with the place of the mistake."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadRecipe(f"recipe {name!r} is not TOML: {error}; mend that line") from error


def _files(module: str) -> list[tuple[str, str]]:
    try:
        folder = resources.files(module) / "recipes"
        found = [entry for entry in folder.iterdir() if entry.name.endswith(".toml")]
    except (OSError, ModuleNotFoundError, TypeError):
        return []
    return sorted((entry.name[:-5], entry.read_text(encoding="utf-8")) for entry in found)
