"""docs/processes.md: its commands are run as they stand, by two processes, with tiny budgets.

Two machines are two launchers on this one; SLURM is a stub that starts a node's command for each.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gentk.cli.group import cli

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/processes.md").read_text(encoding="utf-8")
TINY = "--extractor pixels --generator mlp,widths=16 --observer metrics --threads 1"
STUBS = {
    "torchrun": 'exec {python} -m torch.distributed.run "$@"',
    "gentk": 'exec {python} -m gentk "$@"',
    "scontrol": "echo 127.0.0.1",
    "srun": 'for node in 0 1; do SLURM_NODEID=$node "$@" & jobs="$jobs $!"; done\n'
    "for job in $jobs; do wait $job || exit; done",
}


@pytest.fixture
def shell(tmp_path):
    """Run lines of bash where torchrun, gentk and SLURM are commands; return what they print."""
    (tmp_path / "bin").mkdir()
    for name, text in STUBS.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/bash\n{text.format(python=sys.executable)}\n", encoding="utf-8")
        path.chmod(0o755)
    own = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "GENTK_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }

    def run(text: str, **more: str) -> str:
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=tmp_path,
            env={**os.environ, **own, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def consoles(heading: str) -> list[str]:
    """The command lines of a section."""
    section = re.split(r"^#{1,2} ", PAGE, flags=re.MULTILINE)
    [text] = [part for part in section if part.startswith(heading)]
    return re.findall(r"^\$ (.*)$", text, re.MULTILINE)


def indented(holding: str) -> str:
    """The indented block in which a word stands."""
    blocks = re.findall(r"(?:^    .*\n)+", PAGE, re.MULTILINE)
    [text] = [block for block in blocks if holding in block]
    return re.sub(r"^    ", "", text, flags=re.MULTILINE)


def small(text: str) -> str:
    """Commands with a tiny budget, and one process a machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for old, new in (
        ("gentk run", f"gentk run {TINY}"),
        (
            "gentk sweep",
            "gentk sweep --extractor pixels --judge pixels --generator mlp,widths=16 -n 20",
        ),
        ("--steps 50", "--steps 2"),
        ("--steps 80", "--steps 3"),
        ("--chunk 16", "--chunk 16 --steps 2"),
        ("--data digits", "--data digits,size=8"),
        ("29500", str(port)),
        ("HOST0", "127.0.0.1"),
    ):
        text = text.replace(old, new)
    return text


def steps_of(folder: Path) -> int:
    """The steps that a finished run has."""
    steps: int = json.loads((folder / "run.json").read_text(encoding="utf-8"))["result"]["steps"]
    return steps


@pytest.mark.slow
def test_two_processes_train_and_one_goes_on(shell, tmp_path):
    """The first commands of the page."""
    for line in consoles("Several processes"):
        shell(small(line))
    assert steps_of(tmp_path / "two") == 3


@pytest.mark.slow
def test_two_machines_train_one_run_under_slurm(shell, tmp_path):
    """Two launchers of one process each, which meet at the address of the first."""
    text = small(indented("#SBATCH --nodes")).replace("--nproc-per-node 2", "--nproc-per-node 1")
    shell(text, SLURM_NNODES="2", SLURM_JOB_NODELIST="a,b")
    assert steps_of(tmp_path / "runs/four") == 2


def test_by_hand_the_same_is_typed():
    """But for what SLURM says of nodes."""
    by_hand, job = (
        " ".join(indented(word).replace("\\\n", "").split()) for word in ("RANK --nproc", "srun")
    )
    for name, variable in (
        ("--nnodes 2", "--nnodes $SLURM_NNODES"),
        ("RANK", "$SLURM_NODEID"),
        ("HOST0", "$MASTER_ADDR"),
    ):
        by_hand = by_hand.replace(name, variable)
    assert by_hand in job


def test_an_array_job_makes_the_trials_of_a_sweep(tmp_path, monkeypatch, own_cache, one_thread):
    """Each task takes its line, and makes that trial; the sweep then makes nothing, and has a table."""
    monkeypatch.chdir(tmp_path)
    printed, table = (small(line.replace("--seeds 2 ", "")) for line in consoles("Many runs"))
    words = printed.partition(" > ")[0]
    lines = gentk(words).splitlines()
    (tmp_path / "trials.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # What the shell would run is written down, and run here.
    task = 'gentk() { printf "gentk"; printf " %q" "$@"; echo; }\n' + indented("ARRAY_TASK")
    for number, line in enumerate(lines):
        own = {**os.environ, "SLURM_ARRAY_TASK_ID": str(number + 1)}
        done = subprocess.run(
            ["bash", "-c", task], env=own, capture_output=True, text=True, check=True
        )
        words = [shlex.split(typed) for typed in done.stdout.splitlines()]
        assert words == [shlex.split(part) for part in line.split(" && ")]
        for typed in words:
            gentk(shlex.join([*typed, "--quiet"]))
    made = sorted(tmp_path.glob("trials/*/run.json"))
    before = [path.stat().st_mtime_ns for path in made]
    text = gentk(table)

    assert len(made) == len(lines) == 2 and "batch" in text and "ama" in text
    assert [path.stat().st_mtime_ns for path in made] == before


def gentk(line: str) -> str:
    """Run a command line of gentk in this process; return what it prints."""
    result = CliRunner().invoke(cli, shlex.split(line)[1:], prog_name="gentk")
    assert result.exit_code == 0, result.output
    return result.stdout
