"""Imports: what importing a plugin does, watched from a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Imports"]

PROBE = r"""
import contextlib, importlib, io, json, os, sys, time

sys.path[:], hooks, targets = json.loads(sys.argv[1])
sys.dont_write_bytecode = True
import gentk.spec

work, watching = [], []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
TOLD = {
    "os.mkdir": "makes the folder", "os.rename": "renames", "os.remove": "removes",
    "socket.connect": "connects to", "subprocess.Popen": "starts",
}


def own(frame):
    # The plugin itself, and no library that it imports on the way.
    packages = {name.partition(".")[0] for name in hooks + targets}
    while frame:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] in packages:
            return True
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return False
        frame = frame.f_back
    return False


def watch(event, arguments):
    if not watching or event not in TOLD and event != "open" or not own(sys._getframe(1)):
        return
    if event == "open":
        path, mode, flags = arguments
        writes = any(c in mode for c in "wax+") if mode else (flags or 0) & WRITES
        if writes and path != os.devnull:
            work.append(f"{watching[0]} writes {path}")
    elif event in TOLD:
        what = arguments[-1] if event == "socket.connect" else arguments[0]
        work.append(f"{watching[0]} {TOLD[event]} {what}")


def load(module):
    printed = io.StringIO()
    watching.append(module)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            importlib.import_module(module)
    finally:
        watching.clear()
    if text := " ".join(printed.getvalue().split()):
        work.append(f"{module} prints {text[:80]!r}")


sys.addaudithook(watch)
begin = time.process_time()
for hook in hooks:
    load(hook)
seconds, torch = time.process_time() - begin, "torch" in sys.modules
if targets:
    import torch as _, gentk.interfaces, gentk.data, gentk.summary
for target in targets:
    load(target)
print()
print(json.dumps({"seconds": seconds, "torch": torch, "work": work}))
"""


@dataclass(frozen=True)
class Imports:
    """What importing a distribution's modules does.

    Attributes:
        hook: The modules of its entry points.
        seconds: Of computing that importing these takes.
        torch: Whether they import torch.
        work: What they, or the modules of the targets, print, write or connect to meanwhile.
    """

    hook: str
    seconds: float
    torch: bool
    work: tuple[str, ...]

    @classmethod
    def of(cls, hooks: tuple[str, ...], targets: tuple[str, ...]) -> Imports:
        """Import modules in a new process.

        Args:
            hooks: Modules of entry points, imported first, and timed.
            targets: Modules of components, imported once torch is there.
        """
        return _watched(hooks, targets, tuple(sys.path))


@lru_cache(maxsize=32)
def _watched(hooks: tuple[str, ...], targets: tuple[str, ...], path: tuple[str, ...]) -> Imports:
    command = [sys.executable, "-c", PROBE, json.dumps([path, hooks, targets])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"it does not import: {done.stderr.strip().splitlines()[-1]}"
    answer = json.loads(done.stdout.splitlines()[-1])
    answer["work"] = tuple(dict.fromkeys(answer["work"]))
    return Imports(hook=" and ".join(hooks), **answer)
