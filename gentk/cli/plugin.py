"""`gentk plugin`: the road from an idea to a published plugin."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .group import debug_option
from .sections import Command, Group

if TYPE_CHECKING:
    from ..registry import Registry

__all__ = ["command"]


@click.group(cls=Group, short_help="Make a plugin, or check one.", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Make a plugin, or check that a component does all that its kind must.

    \b
    gentk plugin new my-extractor --kind extractor
    gentk plugin check extractor my-extractor
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@command.command(cls=Command, short_help="Write a plugin that works.", params=[debug_option()])
@click.argument("name")
@click.option("--kind", required=True, help="extractor, generator, loss, ...: see gentk list.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; ./NAME by default.")
def new(name: str, kind: str, out: Path | None) -> None:
    """Write a distribution with one small component that works, with tests, to start from.

    \b
    gentk plugin new my-extractor --kind extractor
    gentk plugin new gentk-edges --kind extractor --out ~/edges   # edges
    """
    from ..templates.distribution import Distribution
    from .list import check_kind

    check_kind(kind)
    distribution = Distribution.of(name, kind)
    folder = out or Path(name)
    distribution.write(folder)
    place = shlex.quote(str(folder if folder.is_absolute() else Path(".", folder)))
    place = place if place.startswith(("/", ".", "'")) else f"./{place}"
    lines = [
        f"pip install -e {place}",
        f"gentk show {kind} {distribution.component}",
        f"gentk plugin check {kind} {distribution.component}",
        distribution.command,
    ]
    click.echo(f"wrote {folder}: the {kind} is in {folder / distribution.package / kind}.py")
    click.echo("\nnext:   " + "\n        ".join(lines))


@command.command(cls=Command, short_help="Check a component.", params=[debug_option()])
@click.argument("words", nargs=-1, required=True, metavar="[KIND] SPEC")
@click.pass_context
def check(context: click.Context, words: tuple[str, ...]) -> None:
    """Check that a component does all that its kind must; the exit code is 1 if it does not.

    SPEC is what `gentk run` is given: NAME[:ARGUMENT][,KEY=VALUE...]. Authors inherit the same checks in
    their tests: see gentk.testing.

    \b
    gentk plugin check my-extractor
    gentk plugin check generator mlp,widths=32
    """
    from ..errors import UsageError
    from ..registry import Registry
    from .list import check_kind

    if len(words) > 2:
        raise UsageError(
            f"{' '.join(words)!r} is not [KIND] SPEC; type: gentk plugin check {words[-1]}"
        )
    registry = Registry()
    spec = words[-1]
    if len(words) == 2:
        check_kind(words[0])
    kind = words[0] if len(words) == 2 else _kind_of(spec, registry)
    registry.check(kind, spec)
    failed, passed = _examine(kind, spec, registry)
    total = failed + passed
    if failed:
        click.echo(f"\n{failed} of {total} checks failed: {kind} {spec}")
        context.exit(1)
    click.echo(f"\nall {total} checks passed: {kind} {spec}")


def _kind_of(spec: str, registry: Registry) -> str:
    """Return the kind of a component whose name only one kind has."""
    from ..errors import UsageError
    from ..selection import Selection
    from .show import find_named

    name = Selection.parse(spec).name
    kinds = registry.kinds_of(name)
    if len(kinds) > 1:
        raise UsageError(
            f"{' and '.join(kinds)} have a {name!r}; type: gentk plugin check {kinds[0]} {spec}"
        )
    if not kinds:
        from ..library import Library

        # Says what is near.
        find_named(None, spec, registry, Library(registry.modules), verb="plugin check")
        raise UsageError(f"{name!r} is a recipe; type: gentk run {name} --dry-run")
    return kinds[0]


def _examine(kind: str, spec: str, registry: Registry) -> tuple[int, int]:
    """Run all checks, print each as it is done, and return how many failed and how many passed."""
    from ..testing import SUITES, examine

    attributes: dict[str, Any] = {"spec": spec, "registry": registry}
    suite = type("Check", (SUITES[kind],), attributes)
    suite().prepare()
    counts = {"failed": 0, "passed": 0, "skipped": 0}
    for verdict in examine(suite):
        counts[verdict.outcome] += 1
        if verdict.outcome != "skipped":
            click.echo(f"{verdict.outcome}  {verdict.about}")
        if verdict.outcome == "failed":
            click.echo(f"        {verdict.name}: {' '.join(verdict.reason.split())}")
    return counts["failed"], counts["passed"]
