"""Installed: distributions, the plugins among them, and which of those the environment wants.

Three environment variables change what is loaded. Names are of entry points or of distributions,
separated by commas.

    GENTK_PLUGINS          only these plugins of third parties are loaded; set and empty: none of them.
                           gentk's own distributions are always loaded.
    GENTK_BLOCK_PLUGINS    these are not loaded, gentk's own plugins included; wins over GENTK_PLUGINS
    GENTK_STRICT_PLUGINS   set to 1: a command that meets a broken plugin fails instead of going on
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .spec import PROJECT

__all__ = [
    "BLOCK_VARIABLE",
    "ONLY_VARIABLE",
    "STRICT_VARIABLE",
    "Distribution",
    "Origin",
    "Unreadable",
    "Wanted",
    "distribution_of",
    "distributions",
    "installed",
    "strict",
]

ONLY_VARIABLE = "GENTK_PLUGINS"
"""Environment variable: the third parties' plugins that are loaded; all without it."""

BLOCK_VARIABLE = "GENTK_BLOCK_PLUGINS"
"""Environment variable: plugins that are not loaded."""

STRICT_VARIABLE = "GENTK_STRICT_PLUGINS"
"""Environment variable: set to 1, a broken plugin is an error."""

GROUP = f"[{PROJECT}]"
"""How gentk's entry points are headed."""

FIELD = re.compile(r"^(Name|Version):[ \t]*(\S+)", re.MULTILINE)
REQUIREMENT = re.compile(r"^Requires-Dist:[ \t]*([\w.-]+)([^\n]*)", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Origin:
    """Where a plugin comes from: its distribution and its entry point (`?` if not known)."""

    distribution: str
    version: str
    entry: str


@dataclass(frozen=True)
class Unreadable:
    """Entry points that are there and cannot be read."""

    error: Exception


@dataclass(frozen=True)
class Distribution:
    """An installed distribution.

    Attributes:
        name: Its name.
        version: Its version.
        requires: Names of the distributions that it asks for, as package indexes compare them.
        needs: Those of them that it asks for without an extra and on every machine.
        source: What `pip install` takes to install it again: `-e FOLDER`, a file, or the name.
        registered: Whether it declares entry points of gentk, or some that nobody can read.
    """

    name: str
    version: str
    requires: frozenset[str]
    needs: frozenset[str]
    source: str
    registered: bool

    @property
    def place(self) -> str | None:
        """The local folder or file that it was installed from; None if it came from an index."""
        return None if self.source == self.name else self.source.removeprefix("-e ")

    def absent(self) -> list[str]:
        """Return the distributions that it needs and that are not installed."""
        return sorted(name for name in self.needs if distribution_of(name) is None)


class Wanted:
    """Which plugins the environment asks for.

    Args:
        own: gentk's own distributions: those that GENTK_PLUGINS need not name.
        core: The one of them that is always loaded, whatever its entry points are called.
    """

    def __init__(self, own: Collection[str] = (), core: str | None = None) -> None:
        self._core = None if core is None else _canonical(core)
        self._only = _names(ONLY_VARIABLE)
        self._blocked = _names(BLOCK_VARIABLE) or set()
        self._own = {_canonical(name) for name in own}
        self._met: set[str] = set()

    def takes(self, origin: Origin) -> bool:
        """Say whether to load a plugin."""
        distribution = _canonical(origin.distribution)
        if distribution == self._core:
            return True
        names = {distribution, _canonical(origin.entry)}
        self._met |= names
        allowed = self._only is None or distribution in self._own or bool(names & self._only)
        return allowed and not names & self._blocked

    def absent(self) -> list[str]:
        """Return the names that are asked for and that no plugin so far had."""
        return sorted((self._only or set()) - self._met - self._own - {self._core})

    @property
    def core_blocked(self) -> bool:
        """Whether somebody asks for the core to be left out."""
        return bool({self._core, PROJECT} & self._blocked)


def strict() -> bool:
    """Say whether the environment makes a broken plugin an error."""
    return os.environ.get(STRICT_VARIABLE, "") not in ("", "0")


def installed() -> list[tuple[Origin, metadata.EntryPoint | Unreadable]]:
    """Return gentk's entry points, sorted; of a distribution that is there twice, the first.

    Not `metadata.entry_points`: that parses those of all groups of all distributions, and one that
    is malformed, whoever's it is, would take all down.
    """
    rows: dict[tuple[str, str, str], tuple[Origin, metadata.EntryPoint | Unreadable]] = {}
    seen: set[str] = set()
    for distribution in metadata.distributions():
        text = _entry_points(distribution)
        if text is None or GROUP not in text:
            continue  # Not known to be a plugin of gentk.
        name, version = _identity(distribution)
        if _canonical(name) in seen:
            continue
        seen.add(_canonical(name))
        for origin, entry in _entries(distribution, name, version):
            value = entry.value if isinstance(entry, metadata.EntryPoint) else ""
            rows.setdefault((name, origin.entry, value), (origin, entry))
    return [rows[key] for key in sorted(rows)]


def distributions() -> list[Distribution]:
    """Return all installed distributions, plugins or not; of one that is there twice, the first."""
    rows: dict[str, Distribution] = {}
    for distribution in metadata.distributions():
        row = _described(distribution)
        rows.setdefault(_canonical(row.name), row)
    return [rows[key] for key in sorted(rows)]


def distribution_of(name: str) -> Distribution | None:
    """Return an installed distribution, or None if there is none of that name."""
    try:
        return _described(metadata.distribution(name))
    except (metadata.PackageNotFoundError, ValueError):
        return None


def _described(distribution: metadata.Distribution) -> Distribution:
    name, version = _identity(distribution)
    asked = [(_canonical(one), rest) for one, rest in REQUIREMENT.findall(_head(distribution))]
    requires = frozenset(one for one, _ in asked)
    needs = frozenset(one for one, rest in asked if ";" not in rest)
    text = _entry_points(distribution)
    registered = text is None or GROUP in text
    source = _source(distribution, name)
    return Distribution(name, version, requires, needs, source, registered)


def _entry_points(distribution: metadata.Distribution) -> str | None:
    """Return the text of a distribution's entry points; None if it cannot be decoded."""
    try:
        return distribution.read_text("entry_points.txt") or ""
    except UnicodeDecodeError:
        return None


def _source(distribution: metadata.Distribution, name: str) -> str:
    """Return the local folder or file that a distribution was installed from, or else its name."""
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        place = urlsplit(origin["url"])
        path = Path(unquote(place.path))
        if place.scheme != "file" or not path.exists():
            return name
        editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return name  # Installed from an index, or a record that nobody can read.
    return editable + shlex.quote(str(path))


def _entries(
    distribution: metadata.Distribution, name: str, version: str
) -> Iterator[tuple[Origin, metadata.EntryPoint | Unreadable]]:
    try:
        for entry in distribution.entry_points.select(group=PROJECT):
            yield Origin(name, version, entry.name), entry
    except Exception as error:  # Whatever importlib's parser trips over.
        yield Origin(name, version, "?"), Unreadable(error)


def _identity(distribution: metadata.Distribution) -> tuple[str, str]:
    """Return a distribution's name and version.

    The lines at the head of the metadata are read as text: parsing all of it, readme included, takes
    longer than importing the plugin. What is half uninstalled may have only a folder's name.
    """
    fields = dict(FIELD.findall(_head(distribution)))
    if len(fields) == 2:
        return fields["Name"], fields["Version"]
    folder = re.split(r"[\\/]", str(getattr(distribution, "_path", "?")))[-1]
    name, _, version = folder.removesuffix(".dist-info").removesuffix(".egg-info").partition("-")
    return fields.get("Name", name.replace("_", "-")), fields.get("Version", version or "?")


def _head(distribution: metadata.Distribution) -> str:
    """Return the fields of a distribution's metadata as text, none if it cannot be read."""
    try:
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    except UnicodeDecodeError:
        return ""
    return text.partition("\n\n")[0]


def _names(variable: str) -> set[str] | None:
    """Return the names in an environment variable, None if it is not set."""
    if variable not in os.environ:
        return None
    return {_canonical(name.strip()) for name in os.environ[variable].split(",") if name.strip()}


def _canonical(name: str) -> str:
    """Return a name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
