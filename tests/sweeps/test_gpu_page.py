"""What to run on a GPU: commands that are valid, and hours that follow from what is counted."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

import gentk
from gentk.cli.group import cli
from gentk.events import Noticed
from gentk.interfaces import Observer

RESULTS = Path(__file__).parents[2] / "docs" / "results"
TABLE = tomllib.loads(RESULTS.joinpath("gpu.toml").read_text(encoding="utf-8"))
RUNS = [command["run"] for command in TABLE["command"]]
AGAIN = "type: make results-gpu"


@pytest.fixture(scope="module")
def gpu():
    """The script that counts and renders."""
    spec = importlib.util.spec_from_file_location("gpu_page", RESULTS / "gpu.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_page"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["gpu_page"]


def test_the_page_is_what_its_rows_render_to(gpu):
    """Byte for byte: no hours were typed by hand."""
    text = RESULTS.joinpath("gpu.md").read_text(encoding="utf-8")
    assert gpu.page(TABLE, gpu.rows()) == text, AGAIN


def test_what_was_counted_is_what_recipes_say_now(gpu):
    """A recipe that has changed since is counted again."""
    known = {row.run: (row.identity, row.steps) for row in gpu.rows()}
    assert known == {run: gpu.resolved(run) for run in RUNS}, AGAIN


@pytest.mark.parametrize("run", RUNS)
def test_every_command_is_valid(run, monkeypatch, tmp_path):
    """As it is typed, but for `--dry-run`."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["run", *shlex.split(run), "--dry-run"], prog_name="gentk")
    assert done.exit_code == 0, done.output


def test_hours_are_those_of_operations_or_of_launches(gpu):
    """Whichever takes longer, in every step."""
    table = {"operations_per_second": 1e12, "seconds_per_operator": 1e-5}
    busy, waiting = (gpu.Counted("r", "i", 3600, n, 100) for n in (2 * 10**12, 10))
    assert busy.hours(table) == pytest.approx(2) and waiting.hours(table) == pytest.approx(1e-3)


class Told(Observer):
    """Keeps what a run says."""

    def __init__(self):
        self.text = ""

    def observe(self, event):
        """Take notice of sentences alone."""
        self.text += event.message if isinstance(event, Noticed) else ""


def test_what_is_counted_without_values_is_what_a_run_counts(gpu, tmp_path, own_cache):
    """The number of the row, of `--operations` on the CPU, and of the formula of dense layers."""
    run = next(run for run in RUNS if "distance=mse" in run)
    found = gpu.counted(run, "digits,size=28")
    (row,) = [row for row in gpu.rows() if row.run == run]
    assert (found.operations, found.operators) == (row.operations, row.operators)
    recipe, flags = gpu.flags_of(run)
    told = Told()
    gentk.run(
        recipe,
        **flags,
        data="digits,size=28",
        operations=1,
        out=str(tmp_path / "run"),
        device="cpu",
        observers=[told],
    )
    (count,) = re.findall(r"a step takes (\S+) operations", told.text)
    assert float(count) == pytest.approx(row.operations, rel=1e-3)
    encoder, generator = 784 * 1024 + 1024**2 + 1024 * 50, 2 * 50 * 1024 + 1024**2 + 1024 * 784
    # Forward, and backward to weights and inputs; nobody asks for the gradient of images.
    assert row.operations == 128 * 2 * (3 * (encoder + generator) - 784 * 1024)


def test_the_readme_names_the_recipes_of_each_page():
    """The last column is the table of commands, by page."""
    lines = RESULTS.joinpath("README.md").read_text(encoding="utf-8").splitlines()
    told = {}
    for line in lines:
        if line.startswith("| ["):
            cells = line.strip("|").split(" | ")
            name = re.search(r"\(([\w-]+)\.md\)", cells[0])[1]
            told[name] = set(re.findall(r"`([\w-]+)`", cells[-1]))
    wanted: dict[str, set[str]] = {}
    for command in TABLE["command"]:
        for page in command["pages"]:
            wanted.setdefault(page, set()).add(command["run"].split()[0])
    assert {name: runs for name, runs in told.items() if runs} == wanted
