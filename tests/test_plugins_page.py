"""docs/plugins.md: the page's own commands, run as they stand, in an empty folder and environment."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gentk.spec import KINDS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(?:^`(?P<path>[^`\n]+)`:\n\n)?^```(?P<form>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
LOSSES = {"family": "loss"}
"""A family is not typed: its loss is."""

HAND_WRITTEN = 25
"""Lines, those that are not blank, that an extractor of one's own may take."""


@dataclass(frozen=True)
class Block:
    """A code block of the page: commands, or the content of the file that is named before it."""

    form: str
    text: str
    path: str | None

    @property
    def commands(self) -> list[str]:
        """The lines after the prompt."""
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]


BLOCKS = [Block(m["form"], m["text"], m["path"]) for m in BLOCK.finditer(PAGE)]


def test_the_page_has_a_plugin_of_every_kind():
    """It makes, installs, checks and uses one of each; every file says where it goes."""
    commands = "\n".join(line for block in BLOCKS for line in block.commands)
    for kind in KINDS:
        for pattern in (
            rf"gentk plugin new my-{kind} --kind {kind}$",
            rf"pip install .*-e \./my-{kind}\b",
            rf"gentk plugin check (my-\S+ )*my-{kind}\b",
            rf"gentk (run|evaluate) .*--{LOSSES.get(kind, kind)} my-{kind}\b",
        ):
            assert re.search(pattern, commands, re.M), pattern
    made = set(re.findall(r"gentk plugin new (my-\w+)", commands))
    checked = " ".join(re.findall(r"gentk plugin check (.*)", commands)).split()
    assert sorted(checked) == sorted(made), "each plugin is checked once"
    assert {block.form for block in BLOCKS} == {"console", "python", "sh"}
    assert all(block.path for block in BLOCKS if block.form == "python")


def test_an_extractor_takes_few_lines():
    """What people write by hand for an extractor, tests included."""
    own = [b.text for b in BLOCKS if b.path and b.path.startswith("my-extractor/")]
    lines = [line for text in own for line in text.splitlines() if line.strip()]

    assert len(own) == 2
    assert len(lines) <= HAND_WRITTEN


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A new virtual environment with gentk's wheel, in which what gentk needs is visible.

    torch and the rest are not installed a second time: a .pth file names this environment's packages.
    """
    place = tmp_path_factory.mktemp("environment")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(place)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    [wheel] = place.glob("*.whl")
    venv.create(place / "env", with_pip=True)
    scripts = place / "env" / "bin"
    packages = sysconfig.get_path("purelib")
    [site] = (place / "env" / "lib").glob("python*/site-packages")
    (site / "outside.pth").write_text(f"import site; site.addsitedir({packages!r})\n")
    variables = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GENTK", "PIP"))
    }
    variables |= {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(place / "env"),
        "GENTK_CACHE": str(place / "cache"),
        "OMP_NUM_THREADS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it so: no isolation
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    install = ["pip", "install", "--force-reinstall", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, env=variables)
    return variables


def shell(command: str, place: Path, environment: dict[str, str]) -> str:
    """Run a command line as a shell does; fail with what it said."""
    done = subprocess.run(
        ["bash", "-ec", command],
        capture_output=True,
        text=True,
        cwd=place,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def formulas_of(
    block: Block, place: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Callable[[], None]]:
    """The test functions in a file of tests, whose plugin is imported for them only."""
    if block.path is None or "/tests/" not in block.path:
        return []
    folder = place / block.path.partition("/")[0]
    monkeypatch.syspath_prepend(folder)
    package = folder.name.replace("-", "_")
    found = runpy.run_path(str(place / block.path))
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]  # Another test may write a plugin of that name.
    return [value for name, value in found.items() if name.startswith("test_")]


@pytest.mark.slow
def test_the_page_works_as_it_stands(tmp_path, environment, monkeypatch):
    """All blocks in order: files are written, commands end well, and all kinds are there at the end.

    `gentk plugin check` carries out the suites that the page's tests inherit; what else these hold is
    carried out here. The tests of the templates are in `tests/cli/test_plugin.py`.
    """
    where = shell("python -c 'import gentk; print(gentk.__file__)'", tmp_path, environment)
    assert environment["VIRTUAL_ENV"] in where, "gentk is not the wheel's"
    said = {}
    for block in BLOCKS:
        if block.path is not None:
            place = tmp_path / block.path
            assert place.parent.is_dir(), f"there is no folder for {block.path}"
            place.write_text(block.text, encoding="utf-8")
        elif block.form == "console":
            assert all(line.startswith("$ ") for line in block.text.splitlines()), block.text
            for command in block.commands:
                said[command] = shell(command, tmp_path, environment)

    listed = json.loads(shell("gentk list --json", tmp_path, environment))
    assert listed["broken"] == []
    shown = {(row["kind"], row["name"]): row["distribution"] for row in listed["components"]}
    assert all(shown[kind, f"my-{kind}"] == f"my-{kind}" for kind in KINDS)
    assert "How far apart, in pixels." in said["gentk show extractor my-extractor"]
    assert "checks passed: extractor" in said["gentk plugin check my-extractor"]
    assert said["cat seen/curve.csv"].startswith("step,loss\n1,")
    assert len(list((tmp_path / "runs").iterdir())) >= 4, "each run has a folder"
    # A family of its own trains, goes on where it stopped, is sampled and listed.
    near = tmp_path / "near"
    steps = [json.loads(line)["step"] for line in (near / "metrics.jsonl").read_text().splitlines()]
    assert [int(step) for step in steps] == list(range(1, 51))
    assert json.loads((near / "run.json").read_text())["result"]["steps"] == 50
    assert (near / "samples" / "grid.png").exists()
    assert {"my-family", "matching", "autoencoding"} <= set(said["gentk list family"].split())
    # What the page's own tests promise besides the suites.
    formulas = [
        formula for block in BLOCKS for formula in formulas_of(block, tmp_path, monkeypatch)
    ]
    assert len(formulas) == 4
    for formula in formulas:
        formula()
