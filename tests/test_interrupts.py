"""Interrupts of real commands: the sentence, the exit status, what is kept and that nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import warnings
from pathlib import Path

import pytest
from forked import Forked

import gentk
from gentk import interrupts, journal
from gentk.interrupts import Stopped, catching, finishing, keeping

RUN = [
    *("run", "--data", "digits,limit=200", "--extractor", "pixels", "--estimator", "batch"),
    *("--generator", "mlp,latent=8,widths=16", "--batch", "16", "--device", "cpu"),
    *("--threads", "1", "--steps", "100000", "--out", "out"),
]
# What is replaced is looked up first, so that a name that has gone fails at once, and nobody waits.
SLOW = (
    "import gentk.{0} as m, time; m.{1}; "
    "m.{1} = lambda *a, **k: (print('here', flush=True), time.sleep(99))"
)


def start(place: Path, words: list[str], before: str = "") -> Forked:
    """Start a command in a place; `before` is run in its process first."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GENTK_CACHE": str(place / "cache")}
    return Forked(place, words, environment, before)


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


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_training_ends_with_a_checkpoint(tmp_path, number, code):
    """One sentence, the shell's exit status, and a checkpoint of the last step that was logged."""
    process = start(tmp_path, RUN)
    wait_for(tmp_path / "out" / "metrics.jsonl")
    process.send_signal(number)
    _, told = process.communicate(timeout=300)

    assert process.returncode == code, told
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    assert told.splitlines()[-1].startswith(f"stopped{by};") and "Traceback" not in told
    (checkpoint,) = (tmp_path / "out" / "checkpoints").iterdir()
    rows = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    assert int(checkpoint.name) == json.loads(rows[-1])["step"]
    assert left(tmp_path) == []


FSYNC = "import os, time; os.fsync = lambda handle: (print('here', flush=True), time.sleep(99))"
PICTURE = """
import time
import PIL.Image
def save(self, path, **options):
    with open(path, "wb") as file:
        file.write(b"half")
        file.flush()
        print("here", flush=True)
        time.sleep(99)
PIL.Image.Image.save = save
"""
ARRAY = """
import time
import numpy
def save(file, **arrays):
    file.write(b"half")
    file.flush()
    print("here", flush=True)
    time.sleep(99)
numpy.savez_compressed = save
"""
FILES = """
import pathlib, time
def write(self, *a, **k):
    self.touch()
    print("here", flush=True)
    time.sleep(99)
pathlib.Path.write_text = write
"""
EVALUATE = ["evaluate", "out", "-n", "20", "--extractor", "pixels"]
PHASES = {
    "statistics": (RUN, SLOW.format("statistics", "_Pass._of")),
    "the statistics that are kept": (RUN, FSYNC),
    "evaluate": (EVALUATE, SLOW.format("statistics", "_Pass._of")),
    "what evaluate keeps": (EVALUATE, FSYNC),
    "sample": (["sample", "out"], SLOW.format("runs.sheets", "tile")),
    "sample --as grid": (["sample", "out", "-n", "4"], PICTURE),
    "sample --as folder": (["sample", "out", "--as", "folder", "-n", "4", "--out", "x"], PICTURE),
    "sample --as npz": (["sample", "out", "--as", "npz", "-n", "4"], ARRAY),
    "sample --as interpolation": (["sample", "out", "--as", "interpolation", "-n", "2"], PICTURE),
    "sweep": (["sweep", "--over", "batch=2", *RUN[1:-2]], SLOW.format("statistics", "_Pass._of")),
    "plugin new": (["plugin", "new", "my-part", "--kind", "extractor"], FILES),
}
"""Phase -> a command, and what has its process wait in the middle of it. `out` is a run."""

SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
QUICK = ("statistics", "evaluate", "sample --as folder")
EACH = [
    # The first phase with each signal, the others with one of them in turn: one handler has all.
    *(pytest.param("statistics", number, marks=pytest.mark.slow) for number in SIGNALS[1:]),
    *(
        pytest.param(phase, SIGNALS[index % 3], marks=() if phase in QUICK else pytest.mark.slow)
        for index, phase in enumerate(PHASES)
    ),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run of two steps."""
    folder = tmp_path_factory.mktemp("trained") / "out"
    flags = dict(zip([word[2:] for word in RUN[1::2]], RUN[2::2], strict=True))
    gentk.run("gfmn", **{**flags, "steps": 2, "out": str(folder), "observer": ["metrics"]})
    return folder


def contents(place: Path) -> dict[str, bytes]:
    """Return all files below a place but the cache's."""
    files = [p for p in place.rglob("*") if p.is_file() and "cache" not in p.parts]
    return {str(path.relative_to(place)): path.read_bytes() for path in files}


@pytest.mark.parametrize(("phase", "number"), EACH)
def test_a_signal_ends_every_phase_at_once(trained, tmp_path, phase, number):
    """One sentence, the shell's exit status, nothing half-written, and what was there is as it was."""
    words, before = PHASES[phase]
    if words is not RUN:
        shutil.copytree(trained, tmp_path / "out")
    earlier = contents(tmp_path)
    process = start(tmp_path, words, before)
    assert process.stdout.readline() == "here\n"
    process.send_signal(number)
    _, told = process.communicate(timeout=300)

    assert process.returncode == 128 + number and "Traceback" not in told, told
    assert told.count("stopped") == 1 and told.splitlines()[-1].startswith("stopped")
    assert left(tmp_path) == [] and contents(tmp_path) == earlier


@pytest.mark.slow
def test_what_evaluate_was_writing_is_whole_or_not_there(trained, tmp_path):
    """Stopped while its row is appended: the figures are read without a word."""
    shutil.copytree(trained, tmp_path / "out")
    first = start(tmp_path, EVALUATE)
    first.communicate(timeout=300)
    assert first.returncode == 0
    count = len(journal.read(tmp_path / "out" / "figures.jsonl"))
    process = start(tmp_path, EVALUATE, FSYNC)  # All that may be cached is.
    assert "here\n" in iter(process.stdout.readline, "")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    assert process.returncode == 143

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = journal.read(tmp_path / "out" / "figures.jsonl")
    assert count and len(rows) in (count, 2 * count)
    assert left(tmp_path) == []


def test_a_step_that_does_not_end_is_given_up(tmp_path):
    """One SIGTERM is enough for a step of minutes; the last checkpoint is kept."""
    quick = "import gentk.interrupts as i; i.GRACE = 0.5\n"
    process = start(tmp_path, RUN, quick + SLOW.format("engine.phase", "look_at_networks"))
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)

    assert process.returncode == 143 and "Traceback" not in told, told
    assert told.splitlines()[-1].startswith("stopped by SIGTERM")
    assert left(tmp_path) == []


def test_a_checkpoint_is_written_to_its_end(monkeypatch):
    """However long that takes after one signal; what follows it is given up."""
    monkeypatch.setattr(interrupts, "GRACE", 0.05)
    written = False
    with pytest.raises(Stopped) as stopped, finishing():
        os.kill(os.getpid(), signal.SIGTERM)
        with keeping():
            time.sleep(0.2)
            written = True
        time.sleep(9)
    assert written and stopped.value.exit_code == 143
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    """In the middle of a step that does not end: no traceback, nothing half-written."""
    process = start(tmp_path, RUN, SLOW.format("engine.phase", "look_at_networks"))
    assert process.stdout.readline() == "here\n"
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
