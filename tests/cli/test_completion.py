"""Completion, by the protocol that shells use: words in the environment, words on stdout."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
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


WAIT = 90.0
"""Seconds that a shell has to answer: a bound for what hangs; what it takes is reported."""

ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07|[\x07\x08\r]")
"""What a terminal is told besides text."""

CLEAR = b"\x01\x0b"
"""Control-A and control-K, which empty a line."""

SETUP = {
    "bash": (("--norc", "--noprofile", "-i"), 'eval "$(gentk completion bash)"'),
    "zsh": (
        ("-f", "-i"),
        'bindkey -e; autoload -Uz compinit; compinit -u; eval "$(gentk completion zsh)"',
    ),
    "fish": (("--no-config", "-i"), "gentk completion fish | source"),
}
"""Shell -> how it starts without anybody's settings, and what it is told."""


LINES = {
    "gentk run quicks": "quickstart",
    "gentk run --extractor pix": "extractor pixels",
    "gentk run --extractor=pix": "extractor=pixels",
    "gentk run --data folder:pho": "folder:photos",
    "gentk sample model:dig": "model:digits",
    "gentk sample runs/al": "runs/alpha",
    "gentk run --init run:runs/al": "run:runs/alpha",
    "gentk run --loss moments --esti": "moments --estimator",
    "gentk sweep --over estimator=win": "estimator=window",
}
"""What is typed before the tab key, and what then stands there."""


class Terminal:
    """A real shell in a terminal of its own, without anybody's settings."""

    def __init__(self, shell: str, place: Path) -> None:
        options, told = SETUP[shell]
        self.shell = shell
        self.child, self.file = pty.fork()
        if self.child == 0:
            os.chdir(place)
            binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            os.environ.update(PATH=binaries, TERM="xterm", HOME=str(place))
            os.execvp(shell, [shell, *options])
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        # The answer differs from what is typed, which the terminal shows too.
        self.type(f"{told}; echo re''ady\n", "ready")

    def type(self, text: str, wanted: str) -> float:
        """Type a text and return the seconds until `wanted` shows."""
        start, shown = time.monotonic(), b""
        os.write(self.file, text.encode())
        while wanted.encode() not in ESCAPES.sub(b"", shown):
            ready, _, _ = select.select([self.file], [], [], WAIT)
            assert ready, f"{self.shell}: {text!r} shows {shown!r}"
            shown += os.read(self.file, 65536)
        return time.monotonic() - start

    def close(self) -> None:
        """End the shell."""
        os.close(self.file)
        with suppress(ProcessLookupError):
            os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_the_tab_key_works_in_a_real_shell(place, capsys, shell) -> None:
    """Words with colons and equals signs too, at which bash breaks them; seconds are printed."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here: completion in it was NOT tried")
    (place / "runs" / "alpha").mkdir(parents=True)
    (place / "runs" / "alpha" / "run.json").touch()
    (place / "photos").mkdir()

    terminal = Terminal(shell, place)
    try:
        for line, wanted in LINES.items():
            seconds = terminal.type(f"{line}\t", wanted)
            with capsys.disabled():
                print(f"\n{shell}: {line!r} is completed in {seconds:.2f} s", end="")
            os.write(terminal.file, CLEAR)
    finally:
        terminal.close()
