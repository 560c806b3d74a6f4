"""The library of recipes: TOML files found by name in the packages of gentk and its plugins."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import BadRecipe, UnknownName, did_you_mean
from .keys import KEYS
from .overlay import SHORT
from .plugins import Broken
from .remedy import upgrade
from .toml import BadToml, parse_toml, read_toml
from .version import DISTRIBUTION

__all__ = ["LISTED", "Library", "Listed", "beside", "is_sweep", "places"]

LISTED = {
    "recipe": "what a run is made of",
    "model": "a trained run that ships, written model:NAME",
}
"""What is listed by name and is no component, and what each is."""


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
        modules: (distribution, package) of every plugin that loaded; its folder `recipes` is read.

    Attributes:
        broken: Recipes that are not TOML; they take nothing else down.
    """

    def __init__(self, modules: Iterable[tuple[str, str]]) -> None:
        self._recipes: dict[str, Listed] = {}
        self.broken: list[Broken] = []
        for distribution, module in [(DISTRIBUTION, "gentk"), *modules]:
            for path in places(module, "recipes/*.toml"):
                name = path.stem
                try:
                    text = path.read_bytes().decode("utf-8", "replace")
                    summary = str(parse(text, name).get("summary", ""))
                except (BadRecipe, OSError) as error:
                    row = Broken(distribution, name, "recipe", str(error), upgrade(distribution))
                    self.broken.append(row)
                    continue
                self._recipes.setdefault(name, Listed(name, summary, distribution, text))

    def rows(self, pattern: str | None = None) -> list[Listed]:
        """Return the recipes whose name matches (all without a pattern), sorted by name."""
        return [
            self._recipes[name]
            for name in sorted(self._recipes)
            if pattern is None or pattern in name or fnmatchcase(name, pattern)
        ]

    def read(self, name: str) -> tuple[str, dict[str, Any]]:
        """Return the name and the table of a recipe, by name or by the path of a TOML file."""
        if name in self._recipes:
            return name, parse(self._recipes[name].text, name)
        path = Path(name)
        if path.suffix == ".toml" or path.parent != Path():
            if is_sweep(name):
                raise BadRecipe(f"{name!r} is a sweep file; type: gentk sweep {name}")
            try:
                return path.stem, read_toml(path)
            except BadToml as error:
                raise BadRecipe(f"recipe {name!r} {error}") from error
            except OSError as error:
                if str(path.with_suffix("")) in self._recipes and not path.exists():
                    raise UnknownName(
                        f"there is no file {name!r}; did you mean the recipe {path.stem!r}? "
                        "type: gentk list recipe"
                    ) from error
                raise BadRecipe(
                    f"recipe {name!r} cannot be read ({error.strerror or error}); {_instead(path)}"
                ) from error
        file = beside(name)
        if file is not None:
            raise UnknownName(f"no recipe {name!r}, but a file of that name; type: {file}")
        hint = did_you_mean(name, self._recipes)
        key, equals, value = name.partition("=")
        if equals and key in {*KEYS, *SHORT}:
            hint = f"did you mean '--{key} {value}'? "
        elif equals:
            hint = "options stand behind a comma, without a space: --data NAME,KEY=VALUE; "
        elif path.is_dir():
            hint = f"{_instead(path)}; "
        raise UnknownName(f"no recipe {name!r}; {hint}type: gentk list recipe")


def is_sweep(path: str) -> bool:
    """Say whether a path names a sweep file: a TOML file with rows, which no recipe has."""
    if not path.endswith(".toml"):
        return False
    try:
        return "row" in read_toml(Path(path))
    except (OSError, ValueError):
        return False


def beside(name: str) -> str | None:
    """Return what to type for a name as which a TOML file lies here: `gentk run mine.toml`, or None."""
    path = name if name.endswith(".toml") else f"{name}.toml"
    try:
        there = Path(path).is_file()
    except (OSError, ValueError):  # no path at all
        return None
    verb = "sweep" if is_sweep(path) else "run"
    return f"gentk {verb} {shlex.quote(path)}" if there else None


def _instead(path: Path) -> str:
    """Return what to type for a path that is no recipe."""
    if (path / "run.json").is_file():
        return f"to go on with that run, type what began it with --out {path}"
    if path.is_dir():
        return f"to learn from its images, type --data folder:{path}"
    return "type the path of a TOML file, or see: gentk list recipe"


def parse(text: str, name: str) -> dict[str, Any]:
    """Return a recipe's table; raise `BadRecipe` with the place of the mistake."""
    try:
        return parse_toml(text)
    except BadToml as error:
        raise BadRecipe(f"recipe {name!r} {error}") from error


def places(module: str, pattern: str) -> list[Path]:
    """Return the files of a package that a pattern matches, sorted."""
    # Not importlib.resources, whose import would be a sixth of the time `gentk list` takes.
    roots = getattr(import_module(module), "__path__", ())
    return sorted(path for root in roots for path in Path(root).glob(pattern))
