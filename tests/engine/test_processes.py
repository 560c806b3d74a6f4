"""The link of processes: how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from launching import environment

SCRIPT = """
import atexit
from pathlib import Path

import torch

from gentk.engine.processes import Processes
from gentk.errors import PeerLost


@atexit.register
def show():
    tasks = [(each / "comm").read_text().strip() for each in Path("/proc/self/task").iterdir()]
    print(*(name for name in tasks if "gloo" in name))


link = Processes(torch.device("cpu"))
assert link.tell("word") == ["word"]
"""

LOST = """
try:
    with link._heard():
        raise RuntimeError("gone")
except PeerLost:
    pass
"""

INTERRUPTED = """
import os

try:
    with link._heard():
        raise KeyboardInterrupt
except KeyboardInterrupt:
    link.end()
print("left" if torch.distributed.is_initialized() else "ended", flush=True)
os._exit(0)
"""


def said(folder, more):
    """What a process says that ends so."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 0, "RANK": 0, "WORLD_SIZE": 1}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + more],
        env=environment(folder, **place),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
@pytest.mark.parametrize("more", ["", LOST], ids=["heard", "lost"])
def test_no_thread_of_the_link_outlives_python(tmp_path, more):
    """One that did let go of tensors while the interpreter ended: SIGABRT in 12 of 80 busy processes."""
    assert said(tmp_path, more) == ""


def test_a_thread_that_waits_for_a_peer_is_not_waited_for(tmp_path):
    """An exchange that was interrupted goes on for half an hour."""
    assert said(tmp_path, INTERRUPTED) == "left"
