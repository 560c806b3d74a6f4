"""Completion, by the protocol that shells use: words in the environment, words on stdout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gentk.cli.completion import SHELLS


def completed(line: str, place: Path) -> list[str]:
    """What bash is offered for the last word of a line."""
    words = line.split(" ")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gentk"],
        capture_output=True,
        text=True,
        check=True,
        cwd=place,
        env={
            **os.environ,
            "_GENTK_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        },
    )
    loaded = {row.rpartition("|")[2].strip() for row in done.stderr.splitlines()}
    assert not loaded & {"torch", "timm", "numpy", "pydantic"}
    return [row.partition(",")[2] for row in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("line", "offered", "others"),
    [
        ("gentk eval", {"evaluate"}, {"run"}),
        ("gentk run quick", {"quickstart"}, {"ae"}),
        ("gentk run --extr", {"--extractor"}, {"--loss"}),
        ("gentk run --extractor p", {"pixels"}, {"identity"}),
        ("gentk run --data f", {"folder:", "fashion-mnist"}, {"npz:"}),
        ("gentk run --observer +e", {"+evaluate"}, {"evaluate"}),
        ("gentk evaluate --metric f", {"fd"}, {"kid"}),
        ("gentk sample ", {"runs/a", "runs/b"}, {"photos"}),
        ("gentk compare runs/a ", {"runs/b"}, {"photos"}),
        ("gentk sample m", {"model:digits", "model:mnist"}, {"runs/a"}),
        ("gentk sample model:d", {"model:digits"}, {"model:mnist"}),
        ("gentk show model:d", {"model:digits"}, {"model:mnist"}),
        ("gentk show model d", {"digits"}, {"mnist"}),
        ("gentk show estimator a", {"ama"}, {"ae"}),
        ("gentk list ext", {"extractor"}, {"loss"}),
        ("gentk sweep --lea", {"--learning-rate"}, {"--loss"}),
    ],
)
def test_words_are_completed_without_anything_heavy(place, line, offered, others) -> None:
    """Commands, flags, recipes, components and the folders of runs; no library of arrays is loaded."""
    for name in "ab":
        (place / "runs" / name).mkdir(parents=True)
        (place / "runs" / name / "run.json").touch()
    (place / "photos").mkdir()

    words = set(completed(line, place))

    assert offered <= words
    assert not others & words


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_printed_for_each_shell(gentk, shell) -> None:
    """It names the variable by which the shell asks."""
    result = gentk("completion", shell)

    assert result.exit_code == 0, result.output
    assert "_GENTK_COMPLETE" in result.stdout


def test_other_shells_are_refused(gentk) -> None:
    """The sentence names those that there are."""
    result = gentk("completion", "csh")

    assert result.exit_code == 2
    assert all(shell in result.stderr for shell in SHELLS)
