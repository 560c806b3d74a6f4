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


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
@pytest.mark.parametrize(("more", "left"), [("", False), (LOST, True)], ids=["heard", "lost"])
def test_no_thread_of_the_link_outlives_python_unless_it_waits_for_a_peer(tmp_path, more, left):
    """One that did let go of tensors while the interpreter ended: SIGABRT in 12 of 80 busy processes."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 0, "RANK": 0, "WORLD_SIZE": 1}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + more],
        env=environment(tmp_path, **place),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert bool(done.stdout.strip()) == left
