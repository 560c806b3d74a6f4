"""Distributions: their names, their one version, and that nothing says `gentk` for `gentk-core`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from gentk.first_party import FIRST_PARTY
from gentk.version import DISTRIBUTION, __version__

ROOT = Path(__file__).parent.parent
CORE = ROOT / "pyproject.toml"
PLUGINS = sorted(ROOT.glob("plugins/*/pyproject.toml"))
EXAMPLE = ROOT / "examples/gentk-example-extractor/pyproject.toml"
TEMPLATE = ROOT / "gentk/templates/common/pyproject.toml.tmpl"
PROJECTS = [CORE, *PLUGINS, EXAMPLE, TEMPLATE]
TEXTS = {".md", ".tmpl", ".toml", ".py", ".rst", ".txt", ".cfg", ".yml", ".sh", ""}

NAME = r"(?<![\w./-])gentk(?![\w./-])"
WRONG = re.compile(
    rf"pip3? (?:\w+ )?(?:install|download|uninstall|wheel)\b[^\n`;#|]*?(?:{NAME}|\bgentk\[)"
    r"|(?<![\w./-])gentk(?:\[[\w,-]+\]|\s*(?:==|>=|<=|~=|!=|>|<)\s*\d)"
    r"|pypi\.org/project/gentk(?![\w-])"
)
"""The distribution `gentk`: installed, required in a version or with extras, linked to."""

MEANT = {
    "gentk/cli/doctor.py",  # Says how to be rid of it.
    "Makefile",  # Is rid of it.
}


def project(path: Path) -> dict:
    """The table [project] of a pyproject.toml, or of the template of one."""
    text = path.read_text(encoding="utf-8").replace("{{", "").replace("}}", "")
    return tomllib.loads(text)["project"]


def requirements(path: Path) -> Iterator[Requirement]:
    """All that a distribution asks for, in its extras too."""
    table = project(path)
    texts = [*table["dependencies"]]
    for extra in table.get("optional-dependencies", {}).values():
        texts += extra
    return map(Requirement, texts)


def test_first_party_distributions_are_those_of_the_registry() -> None:
    """The core is gentk-core, and each plugin's distribution is called as its folder."""
    names = [project(path)["name"] for path in [CORE, *PLUGINS]]

    assert names[0] == DISTRIBUTION == "gentk-core"
    assert names[1:] == [path.parent.name for path in PLUGINS]
    assert set(names) == FIRST_PARTY.keys()


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.parent.name)
def test_requirements_name_what_there_is(path: Path) -> None:
    """First-party pins are the one version, a third party asks for one or newer, none for gentk."""
    own = [r for r in requirements(path) if r.name.startswith("gentk")]

    assert {r.name for r in own} <= FIRST_PARTY.keys()
    if path in (EXAMPLE, TEMPLATE):
        assert {(r.name, str(r.specifier)) for r in own} == {(DISTRIBUTION, ">=0.1")}
        assert all(r.specifier.contains(__version__, prereleases=True) for r in own)
        return
    pins = {f"{r.name}{r.specifier}" for r in own}
    wanted = FIRST_PARTY.keys() - {DISTRIBUTION} if path == CORE else {DISTRIBUTION}
    if path.parent.name == "gentk-models":
        wanted |= {"gentk-nets"}  # Whose networks its weights are of.
    assert pins == {f"{name}=={__version__}" for name in wanted}


@pytest.mark.parametrize("path", [CORE, *PLUGINS], ids=lambda path: path.parent.name)
def test_the_version_has_one_place(path: Path) -> None:
    """No first-party pyproject.toml has a version of its own; it reads gentk/version.py."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    place = path.parent / table["tool"]["hatch"]["version"]["path"]

    assert "version" not in table["project"]
    assert table["project"]["dynamic"] == ["version"]
    assert place.resolve() == ROOT / "gentk" / "version.py"


@pytest.mark.parametrize("path", [CORE, *PLUGINS], ids=lambda path: path.parent.name)
def test_addresses_are_of_the_distribution_itself(path: Path) -> None:
    """Homepage, documentation, source and changelog lead to a first-party page."""
    table = project(path)

    assert table["urls"].keys() == {"Homepage", "Documentation", "Source", "Changelog"}
    for address in table["urls"].values():
        host, name, _ = address.removeprefix("https://").rsplit("/", 2)
        assert host == "pypi.org/project"
        assert name in (table["name"], DISTRIBUTION)


def texts() -> Iterator[Path]:
    """What people read: metadata, messages, templates, pages; not tests, records or the changelog."""
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile"))
    yield CORE
    for folder in ("gentk", "plugins", "examples", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXTS and "__pycache__" not in path.parts:
                yield path


def test_no_text_names_the_distribution_gentk() -> None:
    """`pip install gentk`, `gentk[all]`, `gentk>=0.1` would all be another project."""
    wrong = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in texts()
        if str(path.relative_to(ROOT)) not in MEANT
        for match in WRONG.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not wrong, f"the core's distribution is {DISTRIBUTION}: {wrong}"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("pip install gentk", True),
        ("pip install --force-reinstall gentk", True),
        ("pip install 'gentk[all,offline]'", True),
        ('dependencies = ["gentk>=0.1"]', True),
        ("gentk == 0.1.0", True),
        ("[gentk](https://pypi.org/project/gentk/)", True),
        ("pip install timm gentk torch", True),
        ("pip install gentk-core", False),
        ("pip install 'gentk-core[all]' gentk-timm==0.1.0", False),
        ("pip install -e ./gentk/plugins/gentk-mmd", False),
        ("pip install gentk-timm  # a plugin of gentk", False),
        ("the package gentk, https://pypi.org/project/gentk-core/", False),
        ("[project.entry-points.gentk]", False),
    ],
)
def test_what_counts_as_naming_it(text: str, wrong: bool) -> None:
    """The pattern above finds each form, and nothing that is right."""
    assert bool(WRONG.search(text)) is wrong
