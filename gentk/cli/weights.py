"""`gentk weights`: which file a pretrained network wants, where it is, and whether it is whole."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .sections import Command, Group

if TYPE_CHECKING:
    from ..interfaces import WeightsFile

__all__ = ["command"]


@click.group(cls=Group, short_help="Pretrained weights: what is here, where, and whole.")
def command() -> None:
    """Say which weights are here, which file a network wants, and whether it is what was published.

    Nothing is downloaded.

    \b
    gentk weights list                       networks whose weights are here
    gentk weights path timm:vgg19            the file, and where it is or would be kept
    gentk weights verify timm:tf_efficientnet_lite0
    """


@command.command("list", cls=Command)
def list_() -> None:
    """Print the extractors whose pretrained weights are here."""
    from ..interfaces import Extractor
    from ..registry import Registry

    registry = Registry()
    names = []
    for provided in registry.select("extractor"):
        target = registry.target(provided)
        if isinstance(target, type) and issubclass(target, Extractor):
            own = provided.component.name
            names += [f"{own}:{name}" if name else own for name in target.weights_here()]
    for name in names:
        click.echo(name)
    if not names:
        click.echo("no weights are here; type: gentk weights path timm:MODEL", err=True)


@command.command("path", cls=Command)
@click.argument("name", metavar="NAME")
def path(name: str) -> None:
    """Print the file that extractor NAME wants, and where it is or would be."""
    file = _file(name)
    rows = {
        "file": file.source,
        "here" if file.here else "would be": str(file.path),
        "sha256": file.digest or "known when it is here",
    }
    for key, value in rows.items():
        click.echo(f"{key:<10}{value}")
    if not file.here:
        click.echo(
            f"\nnext:   gentk fetches it when it is used and there is a network; for a copy that you "
            f"have, type --extractor {name},weights=PATH"
        )


@command.command("verify", cls=Command)
@click.argument("name", metavar="NAME")
def verify(name: str) -> None:
    """Compare the file of extractor NAME with the digest that was published of it."""
    from ..errors import WeightsError

    file = _file(name)
    if not file.here:
        raise WeightsError(
            f"the weights of {name} are not here: {file.source} would be in {file.path}; type "
            f"weights=PATH for a copy, or gentk weights list"
        )
    digest = _digest(file.path)
    if file.digest is not None and not digest.startswith(file.digest):
        raise WeightsError(
            f"{file.path} is not what was published: its SHA-256 is {digest}, and not "
            f"{file.digest}; delete it and fetch it again"
        )
    click.echo(f"{'here':<10}{file.path}")
    click.echo(f"{'sha256':<10}{digest}")
    as_published = "as published" if file.digest else "nothing was published to compare with"
    click.echo(f"{'':<10}{as_published}")


def _file(name: str) -> WeightsFile:
    """Return the weights file of an extractor by name."""
    from ..errors import UsageError
    from ..interfaces import Extractor
    from ..registry import Registry

    registry = Registry()
    selection = registry.check("extractor", name)
    target = registry.target(registry.find("extractor", selection.name))
    file = None
    if isinstance(target, type) and issubclass(target, Extractor):
        file = target.weights_file(selection.argument)
    if file is None:
        raise UsageError(f"extractor {name!r} has no pretrained weights; type: gentk weights list")
    return file


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
