"""Models that ship: trained runs in the packages of distributions, `model:NAME` where a run can serve.

A distribution has them in the folder `models` of its package, each as `gentk export` has written it, so
`model:NAME` is `models/NAME`. Here they are only found and told about: `gentk.runs` opens them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from .errors import RunError, UnknownName, did_you_mean
from .files import Damaged, read_document
from .library import places
from .plugins import Broken

__all__ = ["FOLDER", "PREFIX", "RECORD", "Model", "Models"]

PREFIX: Final = "model:"
DISTRIBUTION: Final = "gentk-models"
"""The distribution that brings gentk's own."""

FOLDER: Final = "models"
"""Where the package of a distribution has its models."""

RECORD: Final = "config.json"
CARD: Final = "README.md"


@dataclass(frozen=True)
class Model:
    """A model's row, and where it is.

    Attributes:
        name: What stands behind `model:`.
        summary: One line: its images, how it was trained, what it takes on disk.
        distribution: The one it came with.
        data: The data it learnt from, as a recipe names them.
        image: Channels, height and width.
        size: Bytes of its folder.
        path: Its folder.
    """

    name: str
    summary: str
    distribution: str
    data: str
    image: tuple[int, ...]
    size: int
    path: Path

    @property
    def card(self) -> str:
        """Its model card, without what only hubs read; nothing if it has none."""
        try:
            text = (self.path / CARD).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        rule = "---\n"
        body = text.split(rule, 2)[-1] if text.startswith(rule) else text
        return body.strip()


class Models:
    """All models that ship, by name; the first distribution in sorted order wins a name.

    Args:
        modules: (distribution, package) of every plugin that loaded; its folder `models` is read.

    Attributes:
        paths: The folder of each, by name.
    """

    def __init__(self, modules: Iterable[tuple[str, str]]) -> None:
        self._found: dict[str, tuple[str, Path]] = {}
        for distribution, module in modules:
            for record in places(module, f"{FOLDER}/*/{RECORD}"):
                self._found.setdefault(record.parent.name, (distribution, record.parent))
        self.paths = {name: path for name, (_, path) in self._found.items()}

    def find(self, name: str) -> Path:
        """Return the folder of a model, named with or without `model:`.

        Raises:
            UnknownName: No distribution ships a model of that name.
        """
        bare = name.removeprefix(PREFIX)
        if bare not in self.paths:
            known = sorted(self.paths)
            there = (
                f"there are {', '.join(known)}" if known else f"type: pip install {DISTRIBUTION}"
            )
            raise UnknownName(f"no model {bare!r}; {did_you_mean(bare, known)}{there}")
        return self.paths[bare]

    def row(self, name: str) -> Model:
        """Return the row of a model, named with or without `model:`.

        Raises:
            UnknownName: No distribution ships a model of that name.
            RunError: Its record cannot be read.
        """
        path = self.find(name)
        for broken in self.broken:
            if path.name == broken.entry:
                raise RunError(f"model {path.name!r}: {broken.error}; type: {broken.mend}")
        return next(row for row in self._read[0] if row.path == path)

    def named(self, text: str) -> str:
        """Return what names a run: `model:NAME` for the folder of a model that ships, else as typed."""
        names = {path.resolve(): name for name, path in self.paths.items()}
        name = names.get(Path(text).resolve())
        return text if name is None else f"{PREFIX}{name}"

    def rows(self, pattern: str | None = None) -> list[Model]:
        """Return the models whose name matches (all without a pattern), sorted by name."""
        wanted = None if pattern is None else pattern.removeprefix(PREFIX)
        return [
            row
            for row in self._read[0]
            if wanted is None or wanted in row.name or fnmatchcase(row.name, wanted)
        ]

    @property
    def broken(self) -> list[Broken]:
        """Models whose record cannot be read; they take nothing else down."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[list[Model], list[Broken]]:
        rows, broken = [], []
        for name, (distribution, path) in sorted(self._found.items()):
            try:
                rows.append(_row(name, distribution, path))
            except (Damaged, OSError, KeyError, TypeError, ValueError) as error:
                reason = f"{path / RECORD}: {error}"
                mend = f"pip install --force-reinstall {distribution}"
                broken.append(Broken(distribution, name, "model", reason, mend))
        return rows, broken


def _row(name: str, distribution: str, path: Path) -> Model:
    record: dict[str, Any] = read_document(path / RECORD)[0]
    recipe, data = record["recipe"], record["data"]
    image = tuple(int(length) for length in data["shape"])
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    losses = recipe["loss"] if isinstance(recipe["loss"], list) else [recipe["loss"]]
    summary = (
        f"{' x '.join(map(str, image))} images, loss {' and '.join(map(str, losses))}, "
        f"{int(record['steps']):,} steps, {size / 1e6:.1f} MB"
    )
    return Model(name, summary, distribution, str(data["name"]), image, size, path)
