"""`torchrun ... -m gentk run`: two processes train what one trains, and one goes on from it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from launching import JUDGED, launch, ranks, told
from safetensors.torch import load_file

pytestmark = pytest.mark.slow


def gentk_run(folder, out, steps, processes):
    """Run it to the end, with a chunk of 5."""
    words = ("--chunk", "5", "--steps", str(steps), "--out", out)
    started = ranks(folder, *words, size=processes) if processes > 1 else [launch(folder, *words)]
    for process in started:
        _, text = process.communicate(timeout=300)
        assert process.returncode == 0, text


def weights(folder):
    [*_, last] = sorted(folder.glob("checkpoints/*/tensors.safetensors"))
    return load_file(last)


def steps_of(folder):
    return json.loads((folder / "run.json").read_text())["result"]["steps"]


def wait_for(condition, seconds=200.0):
    """Wait until something is there."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)


def test_two_processes_train_what_one_does_and_hand_over_to_one(tmp_path):
    """Weights after 20 steps agree to 1e-5, through 1 -> 2 -> 1 processes as well."""
    gentk_run(tmp_path, "one", 20, 1)
    for steps, processes in ((6, 1), (13, 2), (20, 1)):
        gentk_run(tmp_path, "mixed", steps, processes)
    alone, mixed = weights(tmp_path / "one"), weights(tmp_path / "mixed")
    assert alone.keys() == mixed.keys()
    for name, value in alone.items():
        torch.testing.assert_close(value, mixed[name], rtol=1e-5, atol=1e-6)
    result = json.loads((tmp_path / "mixed" / "run.json").read_text())["result"]
    assert result["steps"] == 20 and "processes" not in result


def test_a_batch_of_too_few_chunks_is_one_sentence(tmp_path):
    """It names a chunk that fits, once, and nothing is written."""
    # By torchrun, which keeps what tells who has spoken: by hand it goes with rank 0.
    words = ("--chunk", "16", "--steps", "5", "--out", "run")
    [sentence] = told(launch(tmp_path, *words, processes=2))
    assert "--chunk 8" in sentence
    assert not (tmp_path / "run" / "run.json").exists()


def rank_of(process):
    """The rank that a process was given; None if it is gone or has none."""
    try:
        words = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    return next((int(w[5:]) for w in words if w.startswith(b"RANK=")), None)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_a_killed_process_ends_the_others_and_one_goes_on_from_their_checkpoint(tmp_path):
    """Of torchrun's processes one is killed: one sentence, and the same command finishes alone."""
    words = ("--chunk", "8", *JUDGED, "--out", "run")
    launcher = launch(tmp_path, *words, "--steps", "1000000", processes=2)
    checkpoints = tmp_path / "run" / "checkpoints"
    wait_for(lambda: list(checkpoints.glob("0*/state.json")))
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    [victim] = [int(child) for child in children if rank_of(child) == 1]
    os.kill(victim, signal.SIGKILL)
    _, text = launcher.communicate(timeout=200)
    lines = [line for line in text.splitlines() if line.startswith(("Error:", "stopped"))]

    assert launcher.returncode != 0
    assert len(lines) == 1 and "type the same command to go on" in lines[0], text
    kept = max(int(path.name) for path in checkpoints.iterdir() if path.name.isdigit())
    alone = launch(tmp_path, *words, "--steps", str(kept + 2))
    assert told(alone) == [] and steps_of(tmp_path / "run") == kept + 2


def test_a_process_that_hangs_ends_the_others_within_the_time_out(tmp_path):
    """It is stopped, not gone: the other says so after the seconds that it waits, and that it kept."""
    words = ("--chunk", "8", *JUDGED, "--out", "run", "--steps", "1000000")
    first, second = ranks(tmp_path, *words, GENTK_PEER_TIMEOUT=12)
    wait_for(lambda: list((tmp_path / "run" / "checkpoints").glob("0*/state.json")))
    second.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    try:
        [sentence] = told(first)
    finally:
        second.kill()
        second.communicate()

    assert time.monotonic() - begin < 40
    assert "12 seconds" in sentence and "checkpoint of step" in sentence and first.returncode == 1


def test_a_process_that_never_comes_is_a_sentence(tmp_path):
    """The one that waits says where to look, after the seconds that it waits."""
    words = ("--chunk", "8", "--steps", "5", "--out", "run")
    [sentence] = told(*ranks(tmp_path, *words, start=1, GENTK_PEER_TIMEOUT=2))
    assert "MASTER_ADDR" in sentence
