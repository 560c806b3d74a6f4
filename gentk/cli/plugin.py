"""`gentk plugin`: the road from an idea to a published plugin."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .group import debug_option
from .sections import Command, Group

if TYPE_CHECKING:
    from ..registry import Registry
    from ..testing import Suite

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


@command.command(cls=Command, short_help="Check components.", params=[debug_option()])
@click.argument("words", nargs=-1, required=True, metavar="[KIND] SPEC...")
@click.pass_context
def check(context: click.Context, words: tuple[str, ...]) -> None:
    """Check that components do all that their kinds must; the exit code is 1 if one does not.

    SPEC is what `gentk run` is given: NAME[:ARGUMENT][,KEY=VALUE...]. KIND is that of all of them;
    without it a name must be of one kind only. Several are checked one after another, in one process.
    Authors inherit the same checks in their tests: see gentk.testing.

    \b
    gentk plugin check my-extractor
    gentk plugin check my-generator my-loss,factor=2
    gentk plugin check generator mlp,widths=32
    """
    from ..registry import Registry

    registry = Registry()
    named = _named(words, registry)
    suites = {name: _suite(*name, registry) for name in named}
    failing = []
    for number, ((kind, spec), suite) in enumerate(suites.items()):
        if number:
            click.echo()
        counts = _examine(suite)
        total = counts["failed"] + counts["passed"]
        if counts["failed"]:
            failing.append(f"{kind} {spec}")
            click.echo(f"\n{counts['failed']} of {total} checks failed: {failing[-1]}")
        else:
            click.echo(f"\nall {total} checks passed: {kind} {spec}")
    if len(suites) > 1:
        passed = f"all {len(suites)} components passed"
        failed = f"{len(failing)} of {len(suites)} components failed: {', '.join(failing)}"
        click.echo(f"\n{failed if failing else passed}")
    if failing:
        context.exit(1)


def _named(words: tuple[str, ...], registry: Registry) -> list[tuple[str, str]]:
    """Return the kinds and specs that are typed, once each, or raise if one of them cannot be built."""
    from ..errors import did_you_mean
    from ..spec import KINDS
    from .list import check_kind

    first, *specs = words
    mistyped = first.isalpha() and not registry.kinds_of(first) and did_you_mean(first, KINDS)
    if specs and (first in KINDS or mistyped):
        check_kind(first)
        named = [(first, spec) for spec in specs]
    else:
        named = [(_kind_of(spec, registry), spec) for spec in words]
    for kind, spec in named:
        registry.check(kind, spec)
    return list(dict.fromkeys(named))


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


def _suite(kind: str, spec: str, registry: Registry) -> type[Suite]:
    """Return the suite of a component, which has been built once."""
    from ..testing import SUITES

    suite = type("Check", (SUITES[kind],), {"spec": spec, "registry": registry})
    suite().prepare()
    return suite


def _examine(suite: type[Suite]) -> Counter[str]:
    """Run all checks, print each as it is done, and return how many had which outcome."""
    from ..testing import examine

    counts: Counter[str] = Counter()
    for verdict in examine(suite):
        counts[verdict.outcome] += 1
        if verdict.outcome != "skipped":
            click.echo(f"{verdict.outcome}  {verdict.about}")
        if verdict.outcome == "failed":
            click.echo(f"        {verdict.name}: {' '.join(verdict.reason.split())}")
    return counts
