"""The documentation: what is generated is what would be generated now, and what is shown works."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gentk.cli.group import cli
from gentk.first_party import FIRST_PARTY
from gentk.plugins import discover
from gentk.registry import Registry

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = ("first-run", "composing", "mathematics")
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/README.md"))
FENCE = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def shown() -> list[str]:
    """The commands that pages written by hand show, but those on a run that must be there."""
    lines = []
    for page in PAGES:
        for block in FENCE.findall((DOCS / f"{page}.md").read_text(encoding="utf-8")):
            lines += [line.partition(" #")[0].strip() for line in block.splitlines()]
    return [line for line in lines if line.startswith("gentk") and "RUN" not in line]


def test_the_reference_is_that_of_todays_commands_and_components():
    """Every page of docs/reference equals what docs/reference.py would write."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.pages()
    kept = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("reference/*.md")}

    differing = sorted(name for name in made.keys() | kept if made.get(name) != kept.get(name))
    assert not differing, f"docs/reference differs in {differing}; type: make docs-reference"


def test_the_reference_is_complete():
    """Every command, every kind and every component of gentk's own has its heading."""
    commands = (DOCS / "reference/commands.md").read_text(encoding="utf-8")
    for name in cli.list_commands(None):
        assert f"## gentk {name}" in commands
    for kinds in FIRST_PARTY.values():
        for kind, names in kinds.items():
            page = (DOCS / f"reference/{kind}.md").read_text(encoding="utf-8")
            assert set(names) <= set(re.findall(r"^## ([a-z0-9-]+)", page, re.MULTILINE))


def test_the_index_leads_to_every_page():
    """Pages and the index's tables of contents name each other."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    wanted = {page for page in pages if not page.startswith("results/")} - {"index"}

    named = set(re.findall(r"^[a-z][\w/-]*$", index, re.MULTILINE))
    assert named | {"plugins"} == wanted | {"plugins"}


@pytest.mark.parametrize("line", shown())
def test_commands_that_are_shown_work(line, tmp_path, monkeypatch):
    """Names and options in the pages exist: runs are resolved, all else is run."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)[1:]
    if words[0] == "run" and "--dry-run" not in words:
        words.append("--dry-run")

    result = CliRunner().invoke(cli, words, prog_name="gentk")

    assert result.exit_code == 0, result.output


def test_every_environment_variable_is_documented():
    """What the code looks up stands in docs/environment.md, and nothing else of gentk's does."""
    used = set()
    for path in (ROOT / "gentk").rglob("*.py"):
        used |= set(re.findall(r"\bGENTK_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    page = (DOCS / "environment.md").read_text(encoding="utf-8")

    assert set(re.findall(r"\bGENTK_[A-Z_]+\b", page)) == used


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    """As `make docs` builds it."""
    pytest.importorskip("sphinx", reason="pip install -e '.[docs]'")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "site")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "reference" / "commands.html").stat().st_size > 0


@pytest.mark.parametrize("name", PLUGINS)
def test_a_readme_of_a_plugin_names_every_option(name):
    """Of all its components: whoever reads it on an index page has no `gentk show`."""
    page = ROOT / "plugins" / name / "README.md"
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    code = " ".join(re.findall(r"`[^`]+`", text)).replace("-", "_")
    registry = Registry(discover(FIRST_PARTY))
    options = {
        (part.component.name, option.name)
        for part in registry.select()
        if part.distribution == name
        for option in registry.options(part)
    }
    missing = [f"{of}: {option}" for of, option in options if not re.search(rf"\b{option}\b", code)]
    assert missing == []
