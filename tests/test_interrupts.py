"""Interrupts of real commands: the sentence, the exit status, what is kept and that nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gentk.interrupts import Stopped, catching, finishing

RUN = [
    *("run", "--data", "digits,limit=200", "--extractor", "pixels", "--estimator", "batch"),
    *("--generator", "mlp,latent=8,widths=16", "--batch", "16", "--device", "cpu"),
    *("--threads", "1", "--steps", "100000", "--out", "out"),
]
SLOW = "import gentk.{0} as m, time; m.{1} = lambda *a, **k: (print('here', flush=True), time.sleep(99))"


def start(place: Path, words: list[str], before: str = "") -> subprocess.Popen[str]:
    """Start a command in a place; `before` is run in its process first."""
    code = f"{before}\nimport sys\nfrom gentk.cli import main\nsys.argv = ['gentk', *{words!r}]\nmain()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GENTK_CACHE": str(place / "cache")}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    until = time.monotonic() + 300
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < until
        time.sleep(0.02)


def left(place: Path) -> list[str]:
    """Return what is half-written below a place, or locked."""
    names = [path.name for path in place.rglob("*")]
    return [name for name in names if name.endswith(".part") or name == ".lock"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_training_ends_with_a_checkpoint(tmp_path, number, code):
    """One sentence, the shell's exit status, and a checkpoint of the last step that was logged."""
    process = start(tmp_path, RUN)
    wait_for(tmp_path / "out" / "metrics.jsonl")
    process.send_signal(number)
    _, told = process.communicate(timeout=300)

    assert process.returncode == code, told
    assert "stopped by SIG" in told.splitlines()[-1] and "Traceback" not in told
    (checkpoint,) = (tmp_path / "out" / "checkpoints").iterdir()
    rows = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    assert int(checkpoint.name) == json.loads(rows[-1])["step"]
    assert left(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_before_training_a_signal_ends_at_once(tmp_path, number):
    """While the data are summarised: the run's folder is not left either."""
    process = start(tmp_path, RUN, SLOW.format("statistics", "_summarise"))
    assert process.stdout is not None and process.stdout.readline() == "here\n"
    process.send_signal(number)
    _, told = process.communicate(timeout=300)

    assert process.returncode == 128 + number and "Traceback" not in told, told
    assert told.count("stopped") == 1 and left(tmp_path) == []
    assert not (tmp_path / "out").exists()


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    """In the middle of a step that does not end: no traceback, nothing half-written."""
    process = start(tmp_path, RUN, SLOW.format("engine.phase", "look_at_networks"))
    assert process.stdout is not None and process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=300)

    assert process.returncode == 130 and "Traceback" not in told, told
    assert left(tmp_path) == []


def test_a_hang_up_that_is_ignored_stays_ignored(monkeypatch):
    """Under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with catching():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_first_signal_asks_and_the_second_raises():
    """Whichever they are; afterwards the old handlers are back."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped) as stopped, finishing() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.number == signal.SIGTERM
        os.kill(os.getpid(), signal.SIGINT)
    assert stopped.value.exit_code == 130
    assert signal.getsignal(signal.SIGTERM) == before
